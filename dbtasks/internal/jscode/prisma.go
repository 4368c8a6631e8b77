package jscode

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/dop251/goja/ast"
)

// prismaLimit: up to Prisma 6 the URL counts, unless there is a driver adapter;
// from 7 on there always is one, and it takes no limit from the URL (measured:
// 40 queries at once took 10 connections with connection_limit=5 in the URL).
func (p *Code) prismaLimit(c *Client) Limit {
	major, ofURL := 0, p.Options.URLLimit
	if p.Options.PrismaMajor != nil {
		major = p.Options.PrismaMajor(c.Module.path)
	}
	args := p.optionsOf(c.site, c.class)
	for _, adapter := range p.adaptersOf(c) {
		return p.adapterLimit(adapter)
	}
	unsure := false
	for _, arg := range args {
		options := p.values(arg)
		unsure = unsure || len(options) == 0
		for _, o := range options {
			object, ok := o.node.(*ast.ObjectLiteral)
			if !ok {
				unsure = true
				continue
			}
			adapter, sure := p.property(object, o.scope, "adapter")
			if accelerate, _ := p.property(object, o.scope, "accelerateUrl"); accelerate.node != nil {
				return Limit{Unknown: "Prisma Accelerate has the pool, not this client"}
			}
			if adapter.node != nil {
				if v := p.values(adapter); len(v) > 0 && !isName(v[0].node, "undefined") {
					return Limit{Unknown: "its adapter is none that this checklist reads (PrismaPg of @prisma/adapter-pg)"}
				}
			}
			unsure = unsure || !sure
			if address := p.literalURL(object, o.scope); address != "" && major < 7 {
				return limitOfURL(address)
			}
		}
	}
	switch {
	case major >= 7 && unsure:
		return Limit{Unknown: "its options can't be followed"}
	case major >= 7:
		return Limit{Problem: fmt.Sprintf("has no adapter: Prisma %d takes its limit from the adapter's max, and none from the URL", major)}
	case unsure:
		return Limit{Unknown: "its options can't be followed"}
	case major == 0:
		return Limit{Unknown: "the installed version of Prisma can't be told: up to 6 the URL's connection_limit counts, from 7 on the adapter's max"}
	}
	return Limit{Number: ofURL, Explicit: true, FromURL: true}
}

// literalURL is an address that is written into the client's options.
func (p *Code) literalURL(object *ast.ObjectLiteral, s *scope) string {
	whole := Expr{object, s}
	for _, keys := range [][]string{{"datasourceUrl"}, {"datasources", "db", "url"}} {
		e := p.propertyAt(whole, keys...)
		if e.node == nil {
			continue
		}
		for _, v := range p.values(e) {
			if text, ok := stringOf(v.node); ok {
				return text
			}
		}
	}
	return ""
}

func limitOfURL(address string) Limit {
	if u, err := url.Parse(address); err == nil {
		if n, err := strconv.Atoi(u.Query().Get("connection_limit")); err == nil && n > 0 {
			return Limit{Number: n, Explicit: true}
		}
	}
	return Limit{Problem: "is given a URL without connection_limit"}
}

// adaptersOf are the Prisma adapters for PostgreSQL that a client is given.
func (p *Code) adaptersOf(c *Client) []value {
	var list []value
	for _, arg := range p.optionsOf(c.site, c.class) {
		for _, v := range p.values(p.propertyAt(arg, "adapter")) {
			made, ok := v.node.(*ast.NewExpression)
			if !ok {
				continue
			}
			for _, callee := range p.values(Expr{made.Callee, v.scope}) {
				if isPackage(callee.pkg, "@prisma/adapter-pg") || isPackage(callee.pkg, "@prisma/adapter-neon") || isPackage(callee.pkg, "@prisma/pg-worker") {
					if slices.Contains(adapters, callee.name) {
						list = append(list, v)
					}
				}
			}
		}
	}
	return list
}

// adapterLimit is the limit of new PrismaPg(options or pool).
func (p *Code) adapterLimit(adapter value) Limit {
	made := adapter.node.(*ast.NewExpression)
	const problem = "has an adapter without max: it takes 10 connections, and none of the URL's connection_limit"
	name := lastName(made.Callee)
	if len(made.ArgumentList) == 0 {
		return Limit{Problem: problem, At: adapter.Expr, Adapter: name}
	}
	for _, arg := range p.values(Expr{made.ArgumentList[0], adapter.scope}) {
		given, ok := arg.node.(*ast.NewExpression)
		if !ok {
			continue
		}
		if d := p.makerOf(Expr{given.Callee, arg.scope}, true, 0); d != nil && len(d.Max) > 0 {
			s := &site{Expr: arg.Expr, callee: given.Callee, args: given.ArgumentList, isNew: true}
			l := p.maxOf(p.optionsOf(s, p.classAt(s)), d.Max, "has no max: "+d.Note)
			l.At, l.Adapter = arg.Expr, "Pool"
			return l
		}
	}
	l := p.maxOf([]Expr{{made.ArgumentList[0], adapter.scope}}, []string{"max"}, problem)
	l.At, l.Adapter = adapter.Expr, name
	return l
}
