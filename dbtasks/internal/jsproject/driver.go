package jsproject

import "slices"

// Form is a way of writing the pool limit into DATABASE_URL.
type Form string

const (
	ConnectionLimit Form = "connection_limit" // connection_limit=5
	PoolMaxConns    Form = "pool_max_conns"   // pool_max_conns=5
	// Options is options=-c%20dbtasks.pool_limit%3D5: a setting of the session
	// that any server takes and no driver reads. It is the limit written down.
	Options Form = "options"
)

// Take is what a driver makes of a form.
type Take int

const (
	Ignores Take = iota // logs in, and does not read it
	Honours
	Refuses // does not log in
	Untold  // not measured
)

// Driver is a package that makes connections to PostgreSQL, or that stands on
// one that does.
type Driver struct {
	Package string // of npm, or the import path in Go; "" for Bun's own
	Name    string // for people
	// Wire is the driver that talks to the server; Name of that row. It is ""
	// where there is none at all (HTTP), and AnyWire where another package of the
	// project decides.
	Wire string
	Over []string // with AnyWire: the packages that it may stand on
	// Default pool limit of a client without one; 0: one connection, or not known.
	Default int
	Dev     bool // the project has it among devDependencies alone
}

// AnyWire is the Wire of a mapper that runs over several drivers.
const AnyWire = "*"

// Connects tells whether the package talks to the server by itself.
func (d Driver) Connects() bool { return d.Wire != "" && d.Wire != AnyWire }

// Takes is what the driver makes of a form, as measured with the real drivers
// (wires_test.go). Of one that is not known only Options is certain: it is a
// part of PostgreSQL's protocol.
func (d Driver) Takes(form Form) Take {
	if row, ok := wires[d.Wire]; ok {
		return row[form]
	}
	if form == Options {
		return Ignores
	}
	return Untold
}

// BestForm is the form in which these drivers get the pool limit: one that no
// driver refuses and some honour or, of node-postgres, ignore. Without a driver
// that is known it is Options, which all of them survive.
func BestForm(drivers []Driver) Form {
	connecting := slices.DeleteFunc(slices.Clone(drivers), func(d Driver) bool { return !d.Connects() })
	for _, form := range []Form{ConnectionLimit, PoolMaxConns} {
		survives := func(d Driver) bool { return d.Takes(form) == Ignores || d.Takes(form) == Honours }
		if len(connecting) > 0 && !slices.ContainsFunc(connecting, func(d Driver) bool { return !survives(d) }) {
			return form
		}
	}
	return Options
}

// Refusing are the drivers that can't log in with a form.
func Refusing(drivers []Driver, form Form) []Driver {
	var list []Driver
	for _, d := range drivers {
		if d.Connects() && d.Takes(form) == Refuses {
			list = append(list, d)
		}
	}
	return list
}

// Drivers are the drivers and mappers that the package asks for, or the
// members of the workspace that it reaches, or the workspace's root, in the
// order of the table. Prisma's Wire depends on its version. A project on Bun
// without a driver of npm has Bun's own.
func (t *Tree) Drivers() []Driver {
	packages := t.Reached()
	if t.Top != t.Package {
		packages = append(packages, t.Top)
	}
	var list []Driver
	for _, row := range drivers {
		in, inDev := false, false
		for _, p := range packages {
			if _, ok := p.Dependencies[row.Package]; ok {
				in = true
			}
			if _, ok := p.Dev[row.Package]; ok {
				inDev = true
			}
		}
		if !in && !inDev {
			continue
		}
		row.Dev = !in
		if row.Package == "@prisma/client" {
			row.Wire = PrismaEngine
			if major := t.Major(row.Package); major == 0 || major >= 7 {
				row.Wire = t.prismaAdapter()
			}
		}
		list = append(list, row)
	}
	if t.onBun() && !slices.ContainsFunc(list, Driver.Connects) {
		list = append(list, bunSQL)
	}
	return list
}

// onBun tells whether the package's code runs in Bun.
func (t *Tree) onBun() bool {
	f, _ := t.Framework()
	return f.Name == BunName || slices.ContainsFunc([]string{"@types/bun", "bun-types"}, func(name string) bool {
		_, ok := t.Depends(name)
		return ok
	})
}

// prismaAdapter is what Prisma stands on from version 7 on: an adapter of the
// table, which has a row of its own, else the usual one.
func (t *Tree) prismaAdapter() string {
	for _, over := range []string{"@prisma/adapter-pg", "@prisma/adapter-neon"} {
		if _, ok := t.Depends(over); ok {
			return AnyWire
		}
	}
	return NodePostgres
}

// PrismaReadsEnv tells whether the project has Prisma's own client that reads
// .env files at run time, that of the folder prisma/ too: up to version 6.
func (t *Tree) PrismaReadsEnv() bool {
	_, asks := t.Depends("@prisma/client")
	major := t.Major("@prisma/client")
	return asks && major > 0 && major < 7
}

// Running are the drivers that the app runs with: those among dependencies
// where one of them connects, else all.
func Running(list []Driver) []Driver {
	running := slices.DeleteFunc(slices.Clone(list), func(d Driver) bool { return d.Dev })
	if slices.ContainsFunc(running, Driver.Connects) {
		return running
	}
	return list
}
