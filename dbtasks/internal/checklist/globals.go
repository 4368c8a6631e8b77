package checklist

import "github.com/dop251/goja/ast"

// isGlobal tells whether e is the global object, also under another name:
// const g = globalThis as unknown as { prisma?: PrismaClient }.
func isGlobal(e expr) bool { return isGlobalWithin(e, 5) }

// isGlobalWithin follows at most so many names.
func isGlobalWithin(e expr, names int) bool {
	id, ok := bare(e.node).(*ast.Identifier)
	if !ok || names < 0 {
		return false
	}
	b := e.scope.lookup(id.Name.String())
	if b == nil {
		return id.Name.String() == "globalThis" || id.Name.String() == "global"
	}
	for _, d := range b.defs {
		if len(d.keys) == 0 && isGlobalWithin(d.value, names-1) {
			return true
		}
	}
	return false
}

// globalMember is the name of the member of the global object that n is or
// reads: globalThis.prisma, g["prisma"], globalThis.app.prisma.
func globalMember(e expr) (string, bool) {
	name, of := memberOf(e.node)
	if of == nil {
		return "", false
	}
	if isGlobal(expr{of, e.scope}) {
		return name, true
	}
	if inner, ok := globalMember(expr{of, e.scope}); ok {
		return inner + "." + name, true
	}
	return "", false
}
