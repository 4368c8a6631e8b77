package jsproject

// The names of rows that code elsewhere refers to.
const (
	SvelteKit  = "SvelteKit"
	Vite       = "Vite"
	Next       = "Next.js"
	Nuxt       = "Nuxt"
	Astro      = "Astro"
	PlainName  = "Node.js"
	NestName   = "NestJS"
	BunName    = "Bun"
	DenoName   = "Deno"
	ServerName = "a Node.js server"
)

var viteFlags = []string{"--port", "%d", "--strictPort"}

// frameworks in the order in which they are told: what builds on another stands
// before it. Sources: each project's own packages as of October 2026 (c12 3.3
// for Nuxt, @react-router/dev 7.18, @tanstack/start-plugin-core 1.131,
// @next/env 16, vite 8, astro 6), and measured ports.
var frameworks = []Framework{
	{Name: SvelteKit, Packages: []string{"@sveltejs/kit"}, Dev: []string{"vite dev", "vite"},
		Port: 5173, PortFlags: viteFlags, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand,
		Client: []string{"src/lib/server/db"}, Alias: "$lib"},
	{Name: Next, Packages: []string{"next"}, Dev: []string{"next dev", "next"},
		Port: 3000, PortFlags: []string{"-p", "%d"}, PortVariable: "PORT", Reload: InProcess,
		EnvFiles: nextFiles, Expansion: DotenvExpand, ProcessEnv: true, Client: []string{"src/lib/db", "lib/db"}, Alias: "@"},
	// Nitro replaces its worker at every change.
	{Name: Nuxt, Packages: []string{"nuxt", "nuxt-nightly"}, Dev: []string{"nuxt dev", "nuxi dev"},
		Port: 3000, PortFlags: []string{"--port", "%d"}, PortVariable: "PORT", Reload: NewProcess,
		EnvFiles: oneFile, Expansion: C12Expansion, ProcessEnv: true, Client: []string{"server/utils/db"}, Alias: "~~"},
	{Name: Astro, Packages: []string{"astro"}, Dev: []string{"astro dev", "astro"},
		Port: 4321, PortFlags: []string{"--port", "%d"}, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand,
		Client: []string{"src/lib/db"}},
	{Name: "TanStack Start", Packages: []string{"@tanstack/react-start", "@tanstack/solid-start", "@tanstack/start"}, Dev: []string{"vite dev", "vite"},
		Port: 5173, PortFlags: viteFlags, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand, ProcessEnv: true,
		Client: []string{"src/server/db", "src/db"}},
	{Name: "SolidStart", Packages: []string{"@solidjs/start"}, Dev: []string{"vinxi dev", "vite dev"},
		Port: 3000, PortFlags: []string{"--port", "%d"}, PortVariable: "PORT", Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand,
		Client: []string{"src/lib/db"}, Alias: "~"},
	{Name: "React Router", Packages: []string{"@react-router/dev"}, Dev: []string{"react-router dev"},
		Port: 5173, PortFlags: []string{"--port", "%d"}, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand, ProcessEnv: true,
		Client: []string{"app/db.server"}, Alias: "~"},
	{Name: "Remix", Packages: []string{"@remix-run/dev"}, Dev: []string{"remix vite:dev", "remix dev"},
		Port: 5173, PortFlags: []string{"--port", "%d"}, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand, ProcessEnv: true,
		Client: []string{"app/db.server"}, Alias: "~"},
	{Name: "RedwoodJS", Packages: []string{"@redwoodjs/core", "@redwoodjs/api"}, Dev: []string{"rw dev", "redwood dev"},
		Port: 8910, Reload: NewProcess, EnvFiles: redwoodFiles, ProcessEnv: true, Client: []string{"api/src/lib/db"}, Alias: "src"},
	{Name: NestName, Packages: []string{"@nestjs/core"}, Runs: []string{"nest"}, Dev: []string{"nest start"},
		Port: 3000, PortVariable: "PORT", Reload: NewProcess, EnvFiles: oneFile, Expansion: UnknownLoader, Client: []string{"src/db"}},
	// A project may have Vite for its pages and a server beside it: the dev
	// script tells which of the two rows it is.
	{Name: Vite, Packages: []string{"vite"}, Runs: []string{"vite"}, Dev: []string{"vite", "vite dev", "vite serve"},
		Port: 5173, PortFlags: viteFlags, Reload: InProcess, EnvFiles: viteFiles, Expansion: DotenvExpand,
		Client: []string{"src/lib/server/db", "src/server/db", "src/db", "server/db"}},
	{Name: ServerName, Packages: []string{"express", "hono", "@hono/node-server", "fastify", "koa", "@hapi/hapi", "h3", "polka", "elysia", "@adonisjs/core"},
		Runs: []string{"tsx", "nodemon", "node", "ts-node-dev", "tsnd"}, Dev: []string{"tsx watch", "nodemon", "node --watch", "ts-node-dev"},
		PortVariable: "PORT", Reload: NewProcess, EnvFiles: oneFile, Expansion: UnknownLoader, Client: []string{"src/db", "db"}},
	{Name: BunName, Packages: []string{"@types/bun", "bun-types"}, Runs: []string{"bun"}, Dev: []string{"bun --watch", "bun --hot"},
		Port: 3000, PortVariable: "PORT", Reload: ReloadUnknown, EnvFiles: nextFiles, Expansion: BunExpansion, ProcessEnv: true, Client: []string{"src/db", "db"}},
	// Deno reads a .env file only where --env-file says so.
	{Name: DenoName, Packages: []string{"deno", "@types/deno"}, Runs: []string{"deno"}, Dev: []string{"deno task dev", "deno run --watch"},
		Port: 8000, PortVariable: "PORT", Reload: NewProcess, EnvFiles: oneFile, Client: []string{"src/db", "db"}},
}

// PlainNode is the row of a project that has none of the frameworks.
var PlainNode = Framework{Name: PlainName, PortVariable: "PORT", EnvFiles: localFirst, Expansion: UnknownLoader, Client: []string{"src/db", "db"}}
