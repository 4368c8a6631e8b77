package jsproject

// The names of drivers that talk to the server themselves.
const (
	NodePostgres = "node-postgres"
	PostgresJS   = "postgres.js"
	PrismaEngine = "Prisma's engine"
	Neon         = "Neon's driver"
	BunSQL       = "Bun SQL"
	PGXPool      = "pgxpool"
	PGX          = "pgx"
	PGXStdlib    = "database/sql with pgx"
	LibPQ        = "database/sql with lib/pq"
	PGDriver     = "bun's pgdriver"
	GoPG         = "go-pg"
	PGliteWire   = "PGlite"
)

// wires are what each driver makes of the forms; one that is not in a row it
// ignores.
var wires = map[string]map[Form]Take{
	NodePostgres: {},
	PrismaEngine: {ConnectionLimit: Honours},
	PGXPool:      {ConnectionLimit: Refuses, PoolMaxConns: Honours},
	// Measured over a WebSocket. What Neon's HTTP makes of a URL is not known here.
	Neon:       {},
	PostgresJS: {ConnectionLimit: Refuses, PoolMaxConns: Refuses},
	BunSQL:     {ConnectionLimit: Refuses, PoolMaxConns: Refuses},
	PGX:        {ConnectionLimit: Refuses, PoolMaxConns: Refuses},
	PGXStdlib:  {ConnectionLimit: Refuses, PoolMaxConns: Refuses},
	LibPQ:      {ConnectionLimit: Refuses, PoolMaxConns: Refuses},
	PGDriver:   {ConnectionLimit: Refuses, PoolMaxConns: Refuses, Options: Refuses}, // SET for each of them
	GoPG:       {ConnectionLimit: Refuses, PoolMaxConns: Refuses, Options: Refuses}, // no parameter but sslmode and two more
}

// drivers of npm. What a mapper stands on in every version is its Wire; where
// the project chooses, Over lists the choices.
var drivers = []Driver{
	{Package: "pg", Name: NodePostgres, Wire: NodePostgres, Default: 10},
	{Package: "postgres", Name: PostgresJS, Wire: PostgresJS, Default: 10},
	{Package: "@prisma/client", Name: "Prisma", Wire: AnyWire, Over: []string{"@prisma/adapter-pg", "@prisma/adapter-neon"}, Default: 10},
	{Package: "@prisma/adapter-pg", Name: "Prisma's adapter for node-postgres", Wire: NodePostgres, Default: 10},
	{Package: "@prisma/adapter-neon", Name: "Prisma's adapter for Neon", Wire: Neon, Default: 10},
	{Package: "drizzle-orm", Name: "Drizzle", Wire: AnyWire, Over: []string{"pg", "postgres", "@neondatabase/serverless", "@vercel/postgres", "@electric-sql/pglite"}},
	{Package: "kysely", Name: "Kysely", Wire: AnyWire, Over: []string{"pg", "postgres", "kysely-postgres-js", "@neondatabase/serverless"}},
	{Package: "kysely-postgres-js", Name: "Kysely over postgres.js", Wire: PostgresJS, Default: 10},
	{Package: "knex", Name: "Knex", Wire: AnyWire, Over: []string{"pg"}, Default: 10},
	{Package: "objection", Name: "Objection", Wire: AnyWire, Over: []string{"pg"}, Default: 10},
	{Package: "typeorm", Name: "TypeORM", Wire: AnyWire, Over: []string{"pg"}, Default: 10},
	{Package: "sequelize", Name: "Sequelize", Wire: AnyWire, Over: []string{"pg"}, Default: 5},
	{Package: "@sequelize/postgres", Name: "Sequelize", Wire: NodePostgres, Default: 5},
	{Package: "@mikro-orm/postgresql", Name: "MikroORM", Wire: NodePostgres, Default: 10},
	{Package: "pg-promise", Name: "pg-promise", Wire: NodePostgres, Default: 10},
	{Package: "slonik", Name: "Slonik", Wire: "Slonik", Default: 10},
	{Package: "@fastify/postgres", Name: "@fastify/postgres", Wire: AnyWire, Over: []string{"pg"}, Default: 10},
	{Package: "@neondatabase/serverless", Name: Neon, Wire: Neon, Default: 10},
	{Package: "@vercel/postgres", Name: "@vercel/postgres", Wire: Neon, Default: 10},
	{Package: "@supabase/supabase-js", Name: "supabase-js"}, // HTTP: no connection of PostgreSQL's
	{Package: "@electric-sql/pglite", Name: PGliteWire},     // a database within the process
}

// bunSQL is a part of Bun, and no package.
var bunSQL = Driver{Name: BunSQL, Wire: BunSQL, Default: 10}

// goDrivers by import path; a path that begins with one of them counts, the
// longest first.
var goDrivers = []Driver{
	{Package: "github.com/jackc/pgx/v5/pgxpool", Name: PGXPool, Wire: PGXPool},
	{Package: "github.com/jackc/pgx/v4/pgxpool", Name: PGXPool, Wire: PGXPool},
	{Package: "github.com/jackc/pgx/v5/stdlib", Name: PGXStdlib, Wire: PGXStdlib},
	{Package: "github.com/jackc/pgx/v4/stdlib", Name: PGXStdlib, Wire: PGXStdlib},
	{Package: "github.com/lib/pq", Name: LibPQ, Wire: LibPQ},
	{Package: "gorm.io/driver/postgres", Name: "GORM", Wire: PGXStdlib},
	{Package: "entgo.io/ent", Name: "ent", Wire: AnyWire, Over: []string{"github.com/lib/pq", "github.com/jackc/pgx/v5/stdlib"}},
	{Package: "github.com/jmoiron/sqlx", Name: "sqlx", Wire: AnyWire, Over: []string{"github.com/lib/pq", "github.com/jackc/pgx/v5/stdlib"}},
	{Package: "github.com/uptrace/bun/driver/pgdriver", Name: PGDriver, Wire: PGDriver},
	{Package: "github.com/uptrace/bun", Name: "Bun (Go)", Wire: AnyWire, Over: []string{"github.com/uptrace/bun/driver/pgdriver", "github.com/jackc/pgx/v5/stdlib"}},
	{Package: "github.com/go-pg/pg/v10", Name: GoPG, Wire: GoPG},
	{Package: "xorm.io/xorm", Name: "xorm", Wire: AnyWire, Over: []string{"github.com/lib/pq", "github.com/jackc/pgx/v5/stdlib"}},
}

// pgxConnect is the import whose own connections (pgx.Connect) refuse every
// parameter of a pool. Beside pgxpool it is there for its types alone as a rule.
var pgxConnect = Driver{Package: "github.com/jackc/pgx/v5", Name: PGX, Wire: PGX}
