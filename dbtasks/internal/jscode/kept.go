package jscode

import (
	"slices"

	"github.com/dop251/goja/ast"
)

// Fate is what becomes of a client when its module is evaluated again, or when
// the function that makes it is called again.
type Fate string

const (
	Kept       Fate = "kept"        // it is looked for in a place that outlives the module, and put there
	Spare      Fate = "spare"       // another may be made, and never connects
	Replaced   Fate = "replaced"    // the one before it is closed first
	Closed     Fate = "closed"      // made for each call, and closed in it
	Production Fate = "production"  // it is made in production only
	Stored     Fate = "stored"      // put there, and made without a look at it
	Anew       Fate = "anew"        // made at each evaluation
	PerRequest Fate = "per_request" // made at each request
	HotData    Fate = "hot_data"    // kept in import.meta.hot.data, which some versions of Vite do not have on the server
	OfObject   Fate = "of_object"   // a member of an object, of which it was not found who makes and keeps it
	Unfollowed Fate = "unfollowed"  // that takes too long to tell
)

// Survives tells whether a client of this fate leaves no connections behind.
func (f Fate) Survives() bool {
	return f == Kept || f == Spare || f == Replaced || f == Closed || f == Production
}

// way is one way in which a client comes to be made: the functions in which it
// is made, from the inside out.
type way struct {
	looks   []string   // the places that are looked at first
	memo    bool       // a variable of the module is looked at first
	kept    bool       // a package keeps it
	top     bool       // the way ends at the module's own statements
	outside []ast.Node // the functions on the way
	request bool       // one of them answers requests
	object  bool       // it ends at an object that holds the client, and whose maker was not found
}

const maxWays = 500

// fateOf tells what becomes of a client.
func (p *Code) fateOf(c *Client) Fate {
	if c.Keeps || p.isEnhanced(c) {
		return Kept
	}
	if p.dead(c.stack, c.Expr) {
		return Production
	}
	p.holdersOf(c.site, 0, func(_ []string, of *class) {
		if of != nil {
			c.holders = append(c.holders, of.node)
		}
	})
	stores := slices.DeleteFunc(slices.Clone(p.stores), func(s store) bool { return !p.holds(s.value, c, 0) })
	t := &tracer{p: p, stores: stores, left: maxWays, active: map[ast.Node]bool{}}
	ways := t.ways(c.site)
	hot, kept := false, len(ways) > 0
	if t.left < 0 {
		p.overrun[c.Module] = true
	}
	for _, w := range ways {
		place := p.storedWhereLooked(w, stores)
		hot = hot || len(place) > len(hotData) && place[:len(hotData)] == hotData
		kept = kept && (w.kept || place != "")
	}
	switch {
	case hot && kept:
		return HotData
	case kept:
		return Kept
	case p.closedBefore(c, stores):
		return Replaced
	case len(stores) > 0 && p.spare(c):
		return Spare
	}
	if slices.ContainsFunc(ways, func(w way) bool { return w.object }) {
		return OfObject
	}
	once := len(ways) == 0 || slices.ContainsFunc(ways, func(w way) bool { return w.top || w.memo })
	if !once && p.closedWithin(c, ways) {
		return Closed
	}
	switch {
	case !once && slices.ContainsFunc(ways, func(w way) bool { return w.request }):
		return PerRequest
	case len(stores) > 0:
		return Stored
	}
	return Anew
}

// isEnhanced tells whether the class comes from a package that has its objects
// kept: new (enhancePrisma(PrismaClient))().
func (p *Code) isEnhanced(c *Client) bool {
	for _, v := range p.values(Expr{c.callee, c.scope}) {
		if call, ok := v.node.(*ast.CallExpression); ok && slices.ContainsFunc(p.values(Expr{call.Callee, v.scope}), func(v value) bool { return slices.Contains(rememberers, v.pkg) }) {
			return true
		}
	}
	return false
}

func (p *Code) storedWhereLooked(w way, stores []store) string {
	for _, look := range w.looks {
		for _, s := range stores {
			for _, at := range s.places {
				if samePlace(at, look, true) {
					return at
				}
			}
		}
	}
	return ""
}

// holds tells whether e may come to the client, or to something that has it:
// an object, a wrapper that was given it, an object of the class that makes it.
func (p *Code) holds(e Expr, c *Client, depth int) bool {
	if e.node == nil || depth > 8 {
		return false
	}
	q, ok := p.enter(e, "holds")
	if !ok {
		return false
	}
	defer p.leave(q)
	again := func(n ast.Node, s *scope) bool { return n != nil && p.holds(Expr{n, s}, c, depth+1) }
	for _, v := range p.values(e) {
		if v.node == c.node {
			return true
		}
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			for _, prop := range n.Value {
				switch prop := prop.(type) {
				case *ast.PropertyShort:
					if again(&prop.Name, v.scope) {
						return true
					}
				case *ast.PropertyKeyed:
					if again(prop.Value, v.scope) {
						return true
					}
				case *ast.SpreadElement:
					if again(prop.Expression, v.scope) {
						return true
					}
				}
			}
		case *ast.ArrayLiteral:
			if slices.ContainsFunc(n.Value, func(e ast.Expression) bool { return again(e, v.scope) }) {
				return true
			}
		case *ast.CallExpression:
			if _, of := memberOf(n.Callee); of != nil && again(of, v.scope) { // prisma.$extends(…).x()
				return true
			}
			if slices.ContainsFunc(n.ArgumentList, func(e ast.Expression) bool { return again(e, v.scope) }) {
				return true
			}
		case *ast.NewExpression:
			if slices.ContainsFunc(n.ArgumentList, func(e ast.Expression) bool { return again(e, v.scope) }) {
				return true
			}
			for _, class := range p.values(Expr{n.Callee, v.scope}) {
				if class.node != nil && (slices.Contains(c.stack, class.node) || slices.Contains(c.holders, class.node)) {
					return true
				}
			}
		case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
			if fn := p.functionOf(v); fn != nil && slices.ContainsFunc(fn.returns, func(r Expr) bool { return p.holds(r, c, depth+1) }) {
				return true
			}
		}
	}
	return false
}
