package checklist

import (
	"slices"
	"strings"
	"testing"
)

// inline runs the checklist over files written here: "-- name --" lines and texts.
func inline(t *testing.T, archive string) (Report, string) {
	t.Helper()
	root := t.TempDir()
	name, text := "", ""
	flush := func() {
		if name != "" {
			write(t, root, name, text)
		}
	}
	for line := range strings.Lines(strings.TrimLeft(archive, "\n")) {
		if head, ok := strings.CutPrefix(line, "-- "); ok {
			flush()
			name, text = strings.TrimSuffix(strings.TrimSpace(head), " --"), ""
			continue
		}
		text += line
	}
	flush()
	return checked(t, root), root
}

func findingsOf(r Report, item int) []string {
	return slices.DeleteFunc(findings(r), func(line string) bool { return line[0] != byte('0'+item) })
}

const prisma6 = "-- package.json --\n{\"dependencies\":{\"next\":\"16.0.0\",\"@prisma/client\":\"6.1.0\"}}\n-- .env --\nDATABASE_URL=postgresql://a:b@localhost/c?connection_limit=5&pool_timeout=5\n-- src/db.ts --\nimport { PrismaClient } from '@prisma/client';\n"

func TestAClientKeptOnGlobalThisIsRecognisedInEveryUsualForm(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"logical assignment":        `globalThis.prisma ??= new PrismaClient(); export const prisma = globalThis.prisma;`,
		"or assignment":             `global.prisma ||= new PrismaClient(); export const prisma = global.prisma;`,
		"typed alias":               `const g = globalThis as unknown as { prisma?: PrismaClient }; export const prisma = g.prisma ?? new PrismaClient(); if (process.env.NODE_ENV !== 'production') g.prisma = prisma;`,
		"cast in place":             `export const prisma = (globalThis as any).prisma || new PrismaClient(); (globalThis as any).prisma = prisma;`,
		"by key":                    `const key = 'x'; export const prisma = (globalThis as any)['prisma'] ?? new PrismaClient(); (globalThis as any)['prisma'] = prisma;`,
		"factory":                   `const make = () => new PrismaClient(); const g = global as any; const prisma = g.prismaGlobal ?? make(); export default prisma; if (import.meta.env.DEV) g.prismaGlobal = prisma;`,
		"factory declared below":    `export const prisma = globalThis.db ?? make(); globalThis.db = prisma; function make() { const c = new PrismaClient(); return c; }`,
		"if not there":              `if (!global.prisma) { global.prisma = new PrismaClient(); } export const prisma = global.prisma;`,
		"if not there, by variable": `if (!globalThis.prisma) { const client = new PrismaClient(); globalThis.prisma = client; } export const prisma = globalThis.prisma;`,
		"branches":                  `let prisma: PrismaClient; if (process.env.NODE_ENV === 'production') { prisma = new PrismaClient(); } else { if (!global.prisma) { global.prisma = new PrismaClient(); } prisma = global.prisma; } export { prisma };`,
		"lazy getter":               `export function getPrisma() { if (globalThis.prisma) return globalThis.prisma; globalThis.prisma = new PrismaClient(); return globalThis.prisma; }`,
		"early return, variable":    `export function getPrisma() { const found = globalThis.prisma; if (found) { return found; } const made = new PrismaClient(); globalThis.prisma = made; return made; }`,
		"conditional":               `const g = globalThis as any; export const prisma = g.prisma ? g.prisma : new PrismaClient(); g.prisma = prisma;`,
		"extended":                  `const g = globalThis as any; export const prisma = g.prisma ?? new PrismaClient().$extends({}); g.prisma = prisma;`,
		"destructured":              `const { prisma: old } = globalThis as any; export const prisma = old ?? new PrismaClient(); (globalThis as any).prisma = prisma;`,
		"read through a variable":   `const g = globalThis as any; const old = g.prisma; export const prisma = old ?? new PrismaClient(); g.prisma = prisma;`,
		"nested":                    `const g = globalThis as any; g.app ??= {}; g.app.prisma ??= new PrismaClient(); export const prisma = g.app.prisma;`,
		"a helper that remembers":   `function singleton<T>(name: string, make: () => T): T { const g = globalThis as any; g.__s ??= {}; g.__s[name] ??= make(); return g.__s[name]; } export const prisma = singleton('prisma', () => new PrismaClient());`,
		"immediately called":        `const g = globalThis as any; export const prisma = g.prisma ?? (() => { const c = new PrismaClient(); return c; })(); g.prisma = prisma;`,
		"async":                     `const g = globalThis as any; export const prisma = g.prisma ?? (await (async () => new PrismaClient())()); g.prisma = prisma;`,
		"within what is kept":       `class Repository { constructor(readonly client: PrismaClient) {} } globalThis.repository ??= new Repository(new PrismaClient()); export const { repository } = globalThis;`,
		"subclass":                  `class Db extends PrismaClient {} globalThis.db ??= new Db(); export const db = globalThis.db;`,
		"Node's global":             `export const prisma: PrismaClient = global.prisma ?? new PrismaClient(); if (process.env.NODE_ENV === 'development') global.prisma = prisma;`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, prisma6+code)
			if len(r.Clients) == 0 {
				t.Fatal("no client was found")
			}
			if got := slices.Concat(findingsOf(r, 1), findingsOf(r, 2)); len(got) > 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestAClientThatAReloadMakesAnewIsNamed(t *testing.T) {
	t.Parallel()
	const plain = "2 wrong src/db.ts:2 new PrismaClient() is not kept on globalThis: each reload makes another"
	const request = "2 wrong src/db.ts:2 new PrismaClient() is made at each request"
	const hot = "2 cant_tell src/db.ts:2 new PrismaClient() is kept in import.meta.hot.data, which not every version of Vite has on the server"
	const stored = "2 wrong src/db.ts:2 new PrismaClient() is put on globalThis, but is made anew without a look at it"
	for name, c := range map[string]struct{ code, want string }{
		"plain":                 {`export const prisma = new PrismaClient();`, plain},
		"of the module":         {`let prisma: PrismaClient | undefined; export const get = () => (prisma ??= new PrismaClient());`, plain},
		"static member":         {`export class Db { static prisma?: PrismaClient; static get() { return (Db.prisma ??= new PrismaClient()); } }`, plain},
		"stored, never read":    {`export const prisma = new PrismaClient(); globalThis.prisma = prisma;`, stored},
		"read under other name": {`export const prisma = globalThis.prisma ?? new PrismaClient(); globalThis.prsma = prisma;`, stored},
		"read, never stored":    {`export const prisma = globalThis.prisma ?? new PrismaClient();`, plain},
		"the wrong way round":   {`export const prisma = globalThis.prisma ?? new PrismaClient(); if (process.env.NODE_ENV === 'production') globalThis.prisma = prisma;`, plain},
		"a local named global":  {`const globalThis = { prisma: undefined as any }; globalThis.prisma ??= new PrismaClient(); export const prisma = globalThis.prisma;`, plain},
		"only in a comment":     {`export const prisma = /* globalThis.prisma ?? */ new PrismaClient(); // globalThis.prisma = prisma`, plain},
		"only in a string":      {"export const prisma = new PrismaClient(); const s = `globalThis.prisma ??= ${prisma}`;", plain},
		"hot data":              {`export const prisma = import.meta.hot?.data.prisma ?? new PrismaClient(); if (import.meta.hot) import.meta.hot.data.prisma = prisma;`, hot},
		"another one is kept":   {`globalThis.other ??= {}; export const prisma = new PrismaClient();`, plain},
		"in each request":       {`export async function GET() { const prisma = new PrismaClient(); return prisma.user.count(); }`, request},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, prisma6+c.code)
			if got := findingsOf(r, 2); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}
