//go:build unix

package dbtasks

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// The client module that dev:init writes compiles under strict, as an ES module
// and as CommonJS, and stays within its limit when it is evaluated again.
func TestTheClientThatInitWritesCompilesUnderStrictAndKeepsItsLimit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	db := s.NewDatabase()
	const types = `"devDependencies": {"typescript": "5.9.3", "@types/node": "22.19.0", "@types/pg": "8.23.1"}`
	a := stack{name: "files of dev:init", node: "22", client: "lib/x"}.with("package.json", `{"name": "shop", "private": true, "dependencies": {"pg": "8.23.1"}, `+types+`}`).
		make(t, db.URL("connection_limit=3"))
	a.write("reloads.mjs", reloads)
	for framework, dev := range map[string]string{"next": "next dev", "vite": "vite"} {
		for kind, module := range map[string]string{"esm": "module", "cjs": "commonjs"} {
			out := filepath.Join("node_modules", "."+kind+"-"+framework)
			a.write("package.json", `{"name": "shop", "private": true, "type": "`+module+`", "scripts": {"dev": "`+dev+`"}, "dependencies": {"pg": "8.23.1", "`+framework+`": "1"}, `+types+`}`)
			a.write("tsconfig.json", `{"compilerOptions": {"strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "module": "nodenext", "target": "es2022", "outDir": "`+out+`", "rootDir": ".", "types": ["node"]}, "include": ["lib"]}`)
			if o := a.run("dev:init"); o.code != 0 {
				t.Fatalf("dev:init in a project with %s, %s: %s", framework, module, o)
			}
			text, err := os.ReadFile(filepath.Join(a.root, "lib", "db.ts"))
			if err != nil {
				t.Fatal(err)
			}
			if said, err := a.command("npx", "--no-install", "tsc", "--noEmit").CombinedOutput(); err != nil {
				t.Errorf("%s, %s: it does not compile under strict: %v\n%s\n%s", framework, module, err, said, text)
				continue
			}
			a.write("lib/db.ts", string(text)+"export const ask = () => pool.query('SELECT 1');\n")
			if said, err := a.command("npx", "--no-install", "tsc").CombinedOutput(); err != nil {
				t.Fatalf("%s, %s: %v\n%s", framework, module, err, said)
			}
			a.write(filepath.Join(out, "package.json"), `{"type": "`+module+`"}`)
			held := a.reloaded(filepath.Join(a.root, out, "lib", "db.js"), func() int { return s.Sessions(db.Name) })
			if held < 1 || held > 3 {
				t.Errorf("%s, %s: %d sessions after 4 evaluations, the limit is 3", framework, module, held)
			}
			pgtest.Eventually(t, 10*time.Second, "its sessions are gone", func() bool { return s.Sessions(db.Name) == 0 })
			if err := os.RemoveAll(filepath.Join(a.root, "lib")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
