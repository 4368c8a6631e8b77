package jscode

import (
	"strings"

	"github.com/dop251/goja/ast"
)

// store is something that is put into a place.
type store struct {
	places []string
	value  Expr
	stack  []ast.Node
	module *Module
}

// findStores collects what all parsed modules put into places, in development.
func (p *Code) findStores() {
	p.stores = nil
	add := func(places []string, value Expr, stack []ast.Node) {
		if len(places) > 0 && value.node != nil && !p.dead(stack, value) {
			p.stores = append(p.stores, store{places, value, stack, value.scope.mod})
		}
	}
	p.each(func(m *Module) {
		for _, a := range m.assigns {
			add(p.places(a.left), a.right, a.stack)
		}
		for _, s := range m.sites {
			name, of := memberOf(s.callee)
			arg := func(i int) Expr { return Expr{s.args[i], s.scope} }
			switch {
			case of == nil || s.isNew:
			case name == "set" && len(s.args) == 2 && !isName(of, "Reflect"):
				add(below(p.paths(Expr{of, s.scope}), p.key(arg(0))), arg(1), s.stack)
			case name == "push" && len(s.args) == 1:
				add(below(p.places(Expr{of, s.scope}), "?"), arg(0), s.stack)
			case name == "set" && len(s.args) > 2:
				add(below(p.paths(arg(0)), p.key(arg(1))), arg(2), s.stack)
			case name == "assign" && isName(of, "Object") && len(s.args) > 1:
				for i := range s.args[1:] {
					if object, ok := s.args[i+1].(*ast.ObjectLiteral); ok {
						for _, prop := range object.Value {
							switch prop := prop.(type) {
							case *ast.PropertyShort:
								add(below(p.paths(arg(0)), prop.Name.Name.String()), Expr{&prop.Name, s.scope}, s.stack)
							case *ast.PropertyKeyed:
								add(below(p.paths(arg(0)), keyOf(prop)), Expr{prop.Value, s.scope}, s.stack)
							}
						}
					}
				}
			case name == "defineProperty" && len(s.args) > 2:
				if object, ok := s.args[2].(*ast.ObjectLiteral); ok {
					value, _ := p.property(object, s.scope, "value")
					add(below(p.paths(arg(0)), p.key(arg(1))), value, s.stack)
				}
			}
		}
	})
}

// below are the places below paths.
func below(paths []string, key string) []string {
	var list []string
	for _, path := range paths {
		if !strings.HasPrefix(path, "import.meta") || strings.HasPrefix(path, hotData) {
			list = append(list, path+"."+key)
		}
	}
	return list
}

func (p *Code) storesAt(place string) []store {
	var list []store
	for _, s := range p.stores {
		for _, at := range s.places {
			if samePlace(at, place, false) {
				list = append(list, s)
				break
			}
		}
	}
	return list
}

// samePlace compares two paths; with within, one may lie below the other.
func samePlace(a, b string, within bool) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != len(bs) && !within {
		return false
	}
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] && as[i] != "?" && bs[i] != "?" {
			return false
		}
	}
	return min(len(as), len(bs)) > 1
}
