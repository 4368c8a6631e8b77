package jscode

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// Driver is one way of making connections: what a package exports, how it is
// called, and what its clients need. A new driver is a row of the table.
type Driver struct {
	Name     string   // for people: "node-postgres"
	Packages []string // specifiers; a subpath of one counts as well, unless Exact
	Exact    bool
	Exports  []string // names by which its maker is exported; "default" is the module itself, too
	Call     Call
	Makes    string // how a report names it: "new Pool()"
	Variable string // what a client of it is called as a rule

	// Max are the ways to the limit in the options: "max", "pool.max". None: its
	// client has one connection, or the limit is elsewhere.
	Max     []string
	Default int    // connections of a client without a limit
	Note    string // what a missing limit means, for people

	Close    string // the method that ends its connections
	Listener string // what has to listen to "error", or an ended idle session crashes the process: "" nothing, "." the client, ".$client" below it
	Write    string // the line with a limit, %s the address and %d the limit
	Keeps    bool   // the package itself keeps the client over a reload
	Within   string // a key of the options that has to be there for it to connect by itself: drizzle's "connection"

	// Dialect is a key of the options that says which database it is for; another
	// one than PostgreSQL is no client of ours.
	Dialect string
}

// Call is how a client is made of what a package exports.
type Call int

const (
	New    Call = iota // new Pool(…)
	Plain              // postgres(…)
	Either             // both
	Twice              // pgPromise()(…)
	Handed             // app.register(plugin, …)
)

const (
	tenWhatever = "takes 10 connections by default, whatever the URL says"
	ten         = "takes 10 connections by default"
)

// The drivers whose rows the code names.
var (
	prisma  = &Driver{Name: "Prisma", Packages: []string{"@prisma/client"}, Exports: []string{"PrismaClient"}, Makes: "new PrismaClient()", Variable: "prisma", Close: "$disconnect", Default: 10, Write: "new PrismaClient({ adapter: new PrismaPg({ connectionString: %s, max: %d }) })"}
	pool    = &Driver{Name: "node-postgres", Packages: []string{"pg", "pg-pool"}, Exports: []string{"Pool", "default"}, Call: Either, Makes: "new Pool()", Variable: "pool", Max: []string{"max", "poolSize"}, Default: 10, Note: "node-postgres " + tenWhatever, Close: "end", Listener: ".", Write: "new Pool({ connectionString: %s, max: %d })"}
	drizzle = "drizzle()"
)

// drivers in the order in which they are tried.
var drivers = []*Driver{
	prisma,
	pool,
	{Name: "node-postgres", Packages: []string{"pg"}, Exports: []string{"Client"}, Makes: "new Client()", Variable: "client", Close: "end", Default: 1},
	{Name: "postgres.js", Packages: []string{"postgres"}, Exact: true, Exports: []string{"default"}, Call: Plain, Makes: "postgres()", Variable: "sql", Max: []string{"max"}, Default: 10, Note: "postgres.js " + tenWhatever, Close: "end", Write: "postgres(%s, { max: %d })"},
	{Name: "drizzle over node-postgres", Packages: []string{"drizzle-orm/node-postgres"}, Exports: []string{"drizzle"}, Call: Plain, Makes: drizzle, Variable: "db", Within: "connection", Max: []string{"connection.max"}, Default: 10, Close: "$client.end", Listener: ".$client", Write: "drizzle({ connection: { connectionString: %s, max: %d } })"},
	{Name: "drizzle over postgres.js", Packages: []string{"drizzle-orm/postgres-js"}, Exports: []string{"drizzle"}, Call: Plain, Makes: drizzle, Variable: "db", Within: "connection", Max: []string{"connection.max"}, Default: 10, Close: "$client.end", Write: "drizzle({ connection: { url: %s, max: %d } })"},
	{Name: "drizzle over Neon's driver", Packages: []string{"drizzle-orm/neon-serverless"}, Exports: []string{"drizzle"}, Call: Plain, Makes: drizzle, Variable: "db", Within: "connection", Max: []string{"connection.max"}, Default: 10, Close: "$client.end", Listener: ".$client", Write: "drizzle({ connection: { connectionString: %s, max: %d } })"},
	{Name: "drizzle over @vercel/postgres", Packages: []string{"drizzle-orm/vercel-postgres"}, Exports: []string{"drizzle"}, Call: Plain, Makes: drizzle, Variable: "db", Within: "connection", Max: []string{"connection.max", "connection.maxConnections"}, Default: 10, Close: "$client.end", Keeps: true},
	{Name: "drizzle over Bun SQL", Packages: []string{"drizzle-orm/bun-sql", "drizzle-orm/bun-sql/postgres"}, Exports: []string{"drizzle"}, Call: Plain, Makes: drizzle, Variable: "db", Within: "connection", Max: []string{"connection.max"}, Default: 10, Close: "$client.close", Write: "drizzle({ connection: { url: %s, max: %d } })"},
	{Name: "Neon's driver", Packages: []string{"@neondatabase/serverless"}, Exports: []string{"Pool"}, Makes: "new Pool()", Variable: "pool", Max: []string{"max"}, Default: 10, Note: "Neon's pool " + ten, Close: "end", Listener: ".", Write: "new Pool({ connectionString: %s, max: %d })"},
	{Name: "Neon's driver", Packages: []string{"@neondatabase/serverless"}, Exports: []string{"Client"}, Makes: "new Client()", Variable: "client", Close: "end", Default: 1},
	{Name: "@vercel/postgres", Packages: []string{"@vercel/postgres"}, Exports: []string{"createPool"}, Call: Plain, Makes: "createPool()", Variable: "pool", Max: []string{"max", "maxConnections"}, Default: 10, Note: "its pool " + ten, Close: "end", Listener: ".", Write: "createPool({ connectionString: %s, max: %d })"},
	{Name: "@vercel/postgres", Packages: []string{"@vercel/postgres"}, Exports: []string{"createClient"}, Call: Plain, Makes: "createClient()", Variable: "client", Close: "end", Default: 1},
	{Name: "Bun SQL", Packages: []string{"bun"}, Exact: true, Exports: []string{"SQL"}, Call: Either, Makes: "new SQL()", Variable: "sql", Max: []string{"max"}, Default: 10, Note: "Bun's SQL " + tenWhatever, Close: "close", Write: "new SQL(%s, { max: %d })"},
	{Name: "Knex", Packages: []string{"knex"}, Exports: []string{"default", "knex"}, Call: Either, Makes: "knex()", Variable: "db", Max: []string{"pool.max"}, Default: 10, Note: "Knex " + ten, Close: "destroy", Dialect: "client", Write: "knex({ client: 'pg', connection: %s, pool: { min: 0, max: %d } })"},
	{Name: "TypeORM", Packages: []string{"typeorm"}, Exports: []string{"DataSource"}, Makes: "new DataSource()", Variable: "dataSource", Max: []string{"poolSize", "extra.max"}, Default: 10, Note: "TypeORM's pool " + ten, Close: "destroy", Dialect: "type", Write: "new DataSource({ type: 'postgres', url: %s, poolSize: %d })"},
	{Name: "TypeORM", Packages: []string{"typeorm"}, Exports: []string{"createConnection"}, Call: Plain, Makes: "createConnection()", Variable: "connection", Max: []string{"poolSize", "extra.max"}, Default: 10, Note: "TypeORM's pool " + ten, Close: "close", Dialect: "type", Write: "createConnection({ type: 'postgres', url: %s, extra: { max: %d } })"},
	{Name: "TypeORM in Nest", Packages: []string{"@nestjs/typeorm"}, Exports: []string{"TypeOrmModule.forRoot", "TypeOrmModule.forRootAsync"}, Call: Plain, Makes: "TypeOrmModule.forRoot()", Variable: "dataSource", Max: []string{"poolSize", "extra.max", "useFactory.poolSize", "useFactory.extra.max"}, Default: 10, Note: "TypeORM's pool " + ten, Close: "destroy", Dialect: "type", Write: "TypeOrmModule.forRoot({ type: 'postgres', url: %s, poolSize: %d })"},
	{Name: "Sequelize", Packages: []string{"sequelize", "sequelize-typescript", "@sequelize/core"}, Exports: []string{"Sequelize", "default"}, Makes: "new Sequelize()", Variable: "sequelize", Max: []string{"pool.max"}, Default: 5, Note: "Sequelize takes 5 connections by default, whatever the URL says", Close: "close", Dialect: "dialect", Write: "new Sequelize(%s, { dialect: 'postgres', pool: { max: %d } })"},
	{Name: "Sequelize in Nest", Packages: []string{"@nestjs/sequelize"}, Exports: []string{"SequelizeModule.forRoot", "SequelizeModule.forRootAsync"}, Call: Plain, Makes: "SequelizeModule.forRoot()", Variable: "sequelize", Max: []string{"pool.max", "useFactory.pool.max"}, Default: 5, Note: "Sequelize takes 5 connections by default", Close: "close", Dialect: "dialect", Write: "SequelizeModule.forRoot({ dialect: 'postgres', uri: %s, pool: { max: %d } })"},
	{Name: "MikroORM", Packages: []string{"@mikro-orm/postgresql", "@mikro-orm/core"}, Exports: []string{"MikroORM.init", "MikroORM.initSync"}, Call: Plain, Makes: "MikroORM.init()", Variable: "orm", Max: []string{"pool.max"}, Default: 10, Note: "MikroORM's pool " + ten, Close: "close", Dialect: "driver", Write: "MikroORM.init({ clientUrl: %s, pool: { max: %d } })"},
	{Name: "MikroORM", Packages: []string{"@mikro-orm/postgresql"}, Exports: []string{"MikroORM"}, Makes: "new MikroORM()", Variable: "orm", Max: []string{"pool.max"}, Default: 10, Note: "MikroORM's pool " + ten, Close: "close", Write: "new MikroORM({ clientUrl: %s, pool: { max: %d } })"},
	{Name: "MikroORM in Nest", Packages: []string{"@mikro-orm/nestjs"}, Exports: []string{"MikroOrmModule.forRoot", "MikroOrmModule.forRootAsync"}, Call: Plain, Makes: "MikroOrmModule.forRoot()", Variable: "orm", Max: []string{"pool.max", "useFactory.pool.max"}, Default: 10, Note: "MikroORM's pool " + ten, Close: "close", Dialect: "driver", Write: "MikroOrmModule.forRoot({ clientUrl: %s, pool: { max: %d } })"},
	{Name: "pg-promise", Packages: []string{"pg-promise"}, Exports: []string{"default"}, Call: Twice, Makes: "pgp()", Variable: "db", Max: []string{"max"}, Default: 10, Note: "pg-promise " + tenWhatever, Close: "$pool.end", Write: "pgp({ connectionString: %s, max: %d })"},
	{Name: "Slonik", Packages: []string{"slonik", "@silverhand/slonik"}, Exports: []string{"createPool"}, Call: Plain, Makes: "createPool()", Variable: "pool", Max: []string{"maximumPoolSize"}, Default: 10, Note: "Slonik " + tenWhatever, Close: "end", Write: "createPool(%s, { maximumPoolSize: %d })"},
	{Name: "@databases/pg", Packages: []string{"@databases/pg"}, Exports: []string{"default", "createConnectionPool"}, Call: Plain, Makes: "createConnectionPool()", Variable: "db", Max: []string{"poolSize"}, Default: 10, Note: "its pool " + ten, Close: "dispose", Write: "createConnectionPool({ connectionString: %s, poolSize: %d })"},
	{Name: "@fastify/postgres", Packages: []string{"@fastify/postgres", "fastify-postgres"}, Exports: []string{"default", "fastifyPostgres"}, Call: Handed, Makes: "register(@fastify/postgres)", Variable: "pool", Max: []string{"max"}, Default: 10, Note: "its pool " + ten, Close: "end", Write: "register(postgres, { connectionString: %s, max: %d })"},
	{Name: "Payload", Packages: []string{"@payloadcms/db-postgres", "@payloadcms/db-vercel-postgres"}, Exports: []string{"postgresAdapter", "vercelPostgresAdapter"}, Call: Plain, Makes: "postgresAdapter()", Variable: "db", Max: []string{"pool.max"}, Default: 10, Note: "its pool " + ten, Close: "destroy", Keeps: true, Write: "postgresAdapter({ pool: { connectionString: %s, max: %d } })"},
	{Name: "pg-boss", Packages: []string{"pg-boss"}, Exports: []string{"default", "PgBoss"}, Makes: "new PgBoss()", Variable: "boss", Max: []string{"max"}, Default: 10, Note: "pg-boss " + tenWhatever, Close: "stop", Listener: ".", Write: "new PgBoss({ connectionString: %s, max: %d })"},
}

// Unread are packages that make connections to PostgreSQL and have no row: that
// they are there is said, and makes no project green.
var unread = []string{"@effect/sql-pg", "orchid-orm", "@adonisjs/lucid", "massive", "pg-native", "postgraphile", "graphile-worker", "pgtyped", "@strapi/database", "directus", "waterline", "loopback-connector-postgresql", "rake-db", "connect-pg-simple"}

// HTTPOnly are packages that reach a PostgreSQL without a connection of its
// own protocol: there is no pool to keep.
var httpOnly = []string{"@supabase/supabase-js", "@supabase/ssr", "drizzle-orm/neon-http", "@prisma/adapter-ppg"}

// adapters of Prisma whose options hold the pool's.
var adapters = []string{"PrismaPg", "PrismaPgAdapterFactory", "PrismaNeon"}

// rememberers are packages whose function keeps what the one that it is handed
// makes, on the global object.
var rememberers = []string{"@epic-web/remember", "blitz", "@blitzjs/next"}

// maker is the driver that a value makes a client of, when it is called, or
// with new; nil: none.
func (p *Code) maker(v value, isNew bool, depth int) *Driver {
	if depth > 5 {
		return nil
	}
	if v.node != nil {
		q, ok := p.enter(v.Expr, "maker")
		if !ok {
			return nil
		}
		defer p.leave(q)
	}
	switch n := v.node.(type) {
	case *ast.ClassLiteral:
		if n.SuperClass == nil || !isNew {
			return nil
		}
		return p.makerOf(Expr{n.SuperClass, v.scope}, true, depth+1)
	case *ast.CallExpression: // pgPromise() gives what makes databases; a mixin gives a class
		for _, inner := range p.values(Expr{n.Callee, v.scope}) {
			if d := rowOf(inner, func(d *Driver) bool { return d.Call == Twice }); d != nil && !isNew {
				return d
			}
		}
		if isNew { // enhancePrisma(PrismaClient)
			for _, arg := range n.ArgumentList {
				if d := p.makerOf(Expr{arg, v.scope}, true, depth+1); d != nil {
					return d
				}
			}
		}
		return nil
	}
	if v.pkg == "" {
		return nil
	}
	if isNew && v.name == "PrismaClient" && p.mayBePrisma(v.pkg) {
		return prisma
	}
	return rowOf(v, func(d *Driver) bool {
		return d.Call == Either || isNew && d.Call == New || !isNew && d.Call == Plain
	})
}

// handedOn is the driver whose package comes as a member of an object that can't
// be followed, under the package's own name: new this.pg.Pool(). nil: none.
func (p *Code) handedOn(s *site) *Driver {
	name, of := memberOf(s.callee)
	pkg, object := memberOf(of)
	if !s.isNew || object == nil || len(p.values(Expr{s.callee, s.scope})) > 0 {
		return nil
	}
	return rowOf(value{pkg: pkg, name: name}, func(d *Driver) bool { return d.Call == New || d.Call == Either })
}

// namesHanded tells by its words whether a module may have such a member.
func namesHanded(text string) bool {
	return strings.Contains(text, ".pg.Pool") || strings.Contains(text, ".pg.Client")
}

func (p *Code) makerOf(e Expr, isNew bool, depth int) *Driver {
	for _, v := range p.values(e) {
		if d := p.maker(v, isNew, depth); d != nil {
			return d
		}
	}
	return nil
}

// mayBePrisma: PrismaClient comes from the package, from a file that git
// ignores (the generated client), or from a package of the project whose
// module is such a file.
func (p *Code) mayBePrisma(spec string) bool {
	return isPackage(spec, "@prisma/client") || strings.HasPrefix(spec, "./") || strings.Contains(spec, "prisma") || p.resolve.isOwnPackage(spec)
}

// rowOf is the row of the table that a package's export is the maker of.
func rowOf(v value, fits func(*Driver) bool) *Driver {
	if v.pkg == "" {
		return nil
	}
	exported := v.name
	if exported == "*" {
		exported = "default"
	}
	for _, d := range drivers {
		if !fits(d) || !slices.ContainsFunc(d.Packages, func(name string) bool { return v.pkg == name || !d.Exact && isPackage(v.pkg, name) }) {
			continue
		}
		for _, name := range d.Exports {
			if exported == name || name != "default" && strings.HasSuffix(exported, "."+name) { // pg.native.Pool
				if name == "default" && d == pool && v.pkg != "pg-pool" {
					continue
				}
				return d
			}
		}
	}
	return nil
}
