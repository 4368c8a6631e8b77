package checklist

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/dop251/goja/ast"
)

// limit is how many connections a client may open.
type limit struct {
	number   int    // 0: explicit, but not a number that could be told
	explicit bool   // it is said where the driver looks
	unknown  string // why it can't be told; empty: it can
	problem  string // what is wrong where it is neither
	fromURL  bool   // connection_limit of DATABASE_URL is what counts
	at       expr   // where the options are, when they are elsewhere than the client
}

// limitOf reads the pool limit of a client where its driver honours it.
// prismaMajor is 0 where it is not known.
func (p *project) limitOf(c *client, prismaMajor int, urlLimit int) limit {
	switch c.kind {
	case kindClient:
		return limit{number: 1, explicit: true}
	case kindPool:
		return p.poolLimit(c.site, urlLimit)
	case kindPostgres:
		return p.maxOf(lastArg(c.args, 2), c.scope, "has no max: postgres.js takes 10 connections by default, whatever the URL says", urlLimit)
	case kindDrizzle:
		return p.drizzleLimit(c, urlLimit)
	}
	return p.prismaLimit(c, prismaMajor, urlLimit)
}

func lastArg(args []ast.Expression, atMost int) ast.Expression {
	if len(args) == 0 {
		return nil
	}
	return args[min(len(args), atMost)-1]
}

func (p *project) poolLimit(s *site, urlLimit int) limit {
	if len(s.args) == 0 {
		return limit{problem: "has no max: node-postgres takes 10 connections by default"}
	}
	return p.maxOf(s.args[0], s.scope, "has no max: node-postgres takes 10 connections by default, whatever the URL says", urlLimit)
}

func (p *project) drizzleLimit(c *client, urlLimit int) limit {
	const problem = "makes a pool of its own, of 10 connections: it has no connection.max"
	for _, v := range p.values(expr{c.args[0], c.scope}) {
		if object, ok := v.node.(*ast.ObjectLiteral); ok {
			if connection, _ := p.property(object, v.scope, "connection"); connection.node != nil {
				return p.maxOf(connection.node, connection.scope, problem, urlLimit)
			}
		}
	}
	return limit{problem: problem}
}

// prismaLimit: up to Prisma 6 the URL counts, unless there is a driver adapter;
// from 7 on there always is one, and it takes no limit from the URL (measured:
// 40 queries at once took 10 connections with connection_limit=5 in the URL).
func (p *project) prismaLimit(c *client, major, urlLimit int) limit {
	var options []value
	if len(c.args) > 0 {
		options = p.values(expr{c.args[0], c.scope})
		if len(options) == 0 {
			return limit{unknown: "its options can't be followed"}
		}
	}
	var known *limit
	for _, o := range options {
		object, ok := o.node.(*ast.ObjectLiteral)
		if !ok {
			continue
		}
		adapter, sure := p.property(object, o.scope, "adapter")
		if adapter.node != nil {
			l := p.adapterLimit(adapter, urlLimit)
			known = &l
			continue
		}
		if accelerate, _ := p.property(object, o.scope, "accelerateUrl"); accelerate.node != nil {
			return limit{unknown: "Prisma Accelerate has the pool, not this client"}
		}
		if !sure && known == nil {
			known = &limit{unknown: "its options can't be followed"}
		}
		if address := p.literalURL(object, o.scope); address != "" {
			return urlLimitOf(address)
		}
	}
	switch {
	case known != nil:
		return *known
	case major >= 7:
		return limit{problem: fmt.Sprintf("has no adapter: Prisma %d takes its limit from the adapter's max, and none from the URL", major)}
	case len(options) > 0 && options[0].node != nil && !isObject(options[0].node):
		return limit{unknown: "its options can't be followed"}
	case major == 0:
		return limit{unknown: "the installed version of Prisma can't be told: up to 6 the URL's connection_limit counts, from 7 on the adapter's max"}
	}
	return limit{number: urlLimit, explicit: true, fromURL: true}
}

func isObject(n ast.Node) bool { _, ok := n.(*ast.ObjectLiteral); return ok }

// literalURL is an address that is written into the client's options.
func (p *project) literalURL(object *ast.ObjectLiteral, s *scope) string {
	e, _ := p.property(object, s, "datasourceUrl")
	if e.node == nil {
		sources, _ := p.property(object, s, "datasources")
		if o, ok := sources.node.(*ast.ObjectLiteral); ok {
			db, _ := p.property(o, sources.scope, "db")
			if o, ok := db.node.(*ast.ObjectLiteral); ok {
				e, _ = p.property(o, db.scope, "url")
			}
		}
	}
	if e.node == nil {
		return ""
	}
	for _, v := range p.values(e) {
		if text, ok := stringOf(v.node); ok {
			return text
		}
	}
	return ""
}

func urlLimitOf(address string) limit {
	u, err := url.Parse(address)
	if err == nil {
		if n, err := strconv.Atoi(u.Query().Get("connection_limit")); err == nil && n > 0 {
			return limit{number: n, explicit: true}
		}
	}
	return limit{problem: "is given a URL without connection_limit"}
}

// adapterLimit is the limit of new PrismaPg(options or pool).
func (p *project) adapterLimit(adapter expr, urlLimit int) limit {
	for _, v := range p.values(adapter) {
		made, ok := v.node.(*ast.NewExpression)
		if !ok || !p.isNewAdapter(made, v.scope) {
			continue
		}
		if len(made.ArgumentList) == 0 {
			return limit{problem: "has an adapter without max: it takes 10 connections", at: v.expr}
		}
		for _, arg := range p.values(expr{made.ArgumentList[0], v.scope}) {
			pool, ok := arg.node.(*ast.NewExpression)
			if !ok {
				continue
			}
			for _, callee := range p.values(expr{pool.Callee, arg.scope}) {
				if k, ok := p.maker(callee, true); ok && k == kindPool {
					l := p.poolLimit(&site{expr: arg.expr, callee: pool.Callee, args: pool.ArgumentList}, urlLimit)
					l.at = arg.expr
					return l
				}
			}
		}
		l := p.maxOf(made.ArgumentList[0], v.scope, "has an adapter without max: it takes 10 connections, and none of the URL's connection_limit", urlLimit)
		l.at = v.expr
		return l
	}
	return limit{unknown: "its adapter is none that this checklist reads (PrismaPg of @prisma/adapter-pg)"}
}

func (p *project) isNewAdapter(n *ast.NewExpression, s *scope) bool {
	for _, v := range p.values(expr{n.Callee, s}) {
		if isAdapter(v) {
			return true
		}
	}
	return false
}

// maxOf is the property max of a driver's options.
func (p *project) maxOf(options ast.Node, s *scope, problem string, urlLimit int) limit {
	if options == nil {
		return limit{problem: problem}
	}
	found := p.values(expr{options, s})
	var unknown bool
	for _, v := range found {
		object, ok := v.node.(*ast.ObjectLiteral)
		if !ok {
			_, isText := stringOf(v.node)
			unknown = unknown || !isText && !mentionsEnvironment(options) && !mentionsEnvironment(v.node)
			continue
		}
		most, sure := p.property(object, v.scope, "max")
		if most.node != nil {
			return p.numberOf(most, urlLimit, problem)
		}
		unknown = unknown || !sure
	}
	if unknown || len(found) == 0 && !mentionsEnvironment(options) {
		return limit{unknown: "its options can't be followed"}
	}
	return limit{problem: problem}
}

// numberOf reads a limit: a literal, one that is computed from the URL's
// connection_limit, or any other expression, which is explicit all the same.
func (p *project) numberOf(e expr, urlLimit int, problem string) limit {
	if isName(e.node, "undefined") {
		return limit{problem: problem}
	}
	l := limit{explicit: true}
	if p.mentionsText(e, "connection_limit", 0) {
		l.number = urlLimit
		return l
	}
	for _, v := range p.values(e) {
		n, ok := number(v.node)
		switch {
		case ok && n < 1:
			return limit{problem: fmt.Sprintf("has max %v, which should be a number of connections from 1", n)}
		case ok:
			l.number = max(l.number, int(n))
		}
	}
	return l
}

// mentionsText tells whether a string stands in e or in what its variables and
// functions are made of.
func (p *project) mentionsText(e expr, want string, depth int) bool {
	if e.node == nil || depth > 8 {
		return false
	}
	return anywhere(e.node, func(n ast.Node) bool {
		if text, ok := stringOf(n); ok {
			return text == want
		}
		id, ok := n.(*ast.Identifier)
		if !ok {
			return false
		}
		b := e.scope.lookup(id.Name.String())
		if b == nil {
			return false
		}
		for _, d := range b.defs {
			if d.value.node != e.node && p.mentionsText(d.value, want, depth+1) {
				return true
			}
		}
		return false
	})
}
