// Package scaffold puts the solution into a JavaScript project: the runbook's
// magefile and wrappers, npm scripts, the pool limit, a client module that
// survives hot reload, the settings of Vite and Vitest. It makes a plan, which
// is a value, and applies it. What exists is never overwritten: lines are added
// where that is certain to change nothing else, and shown where it is not.
package scaffold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// Kind is the framework of a project.
type Kind string

const (
	SvelteKit Kind = "SvelteKit"
	Vite      Kind = "Vite"
	Next      Kind = "Next.js"
	Plain     Kind = "JavaScript" // any other framework, or none
)

// Driver is how a project talks to PostgreSQL: one of these two, or the name of
// another of jsproject's table.
type Driver string

const (
	Prisma Driver = "Prisma"
	NodePg Driver = "node-postgres"
)

const (
	prismaPackage = "@prisma/client"
	adapter       = "@prisma/adapter-pg"
)

// Project is what is known of a project.
type Project struct {
	Root       string
	Kind       Kind
	Driver     Driver
	Major      int    // of Prisma: 6 or less, 7 or more
	Manager    string // npm, pnpm, yarn, bun
	TypeScript bool
	Vitest     bool
	Client     string // the folder or package of Prisma's generated client: "src/generated/prisma", "@prisma/client"
	Schema     string // the file that says so

	pkg      *jsproject.Package
	hasTypes bool // node's types are among the packages
	code     *jscode.Code
	makers   []maker // the modules that make a client, see clientModules
}

// has tells whether package.json asks for a package.
func (p Project) has(name string) bool {
	_, ok := p.pkg.Depends(name)
	return ok
}

// Read looks at the project in root. The error is a *ProjectError.
func Read(ctx context.Context, root string) (Project, error) {
	p := Project{Root: root}
	var err error
	switch p.pkg, err = jsproject.Read(root); {
	case errors.Is(err, jsproject.ErrNoPackage):
		return p, &ProjectError{ErrNoProject, fmt.Sprintf("There is no package.json in %s: dev:init is for JavaScript projects; nothing was touched.", root), "cd into the project's folder"}
	case err != nil:
		return p, &ProjectError{ErrFile, fmt.Sprintf("%v; nothing was touched.", err), "mend package.json in " + root}
	}
	p.Manager = jsproject.Manager(root)
	p.TypeScript = p.exists("tsconfig.json")
	p.Vitest, p.hasTypes = p.has("vitest"), p.has("@types/node")
	switch {
	case p.has("@sveltejs/kit"):
		p.Kind = SvelteKit
	case p.has("next"):
		p.Kind = Next
	case p.has("vite"):
		p.Kind = Vite
	default:
		p.Kind = Plain
	}
	if err := p.readDriver(); err != nil {
		return p, err
	}
	files, _, err := jscode.Files(ctx, root)
	if err == nil {
		p.code, err = jscode.Read(ctx, root, files, jscode.Options{PrismaMajor: func(string) int { return p.Major }})
	}
	if err != nil {
		return p, unreadable(root, err)
	}
	if p.Driver == Prisma && p.Generates() {
		if err := p.readSchema(); err != nil {
			return p, err
		}
	}
	p.makers = p.clientModules()
	return p, nil
}

func (p *Project) readDriver() error {
	switch {
	case p.has(prismaPackage) || p.has("prisma"):
		p.Driver = Prisma
		if p.Major = p.prismaMajor(); p.Major == 0 {
			return &ProjectError{ErrDriver, "The major version of Prisma can't be told: it is not installed, and package.json gives no number; nothing was touched.", p.Manager + " install"}
		}
		return nil
	case p.has("pg"):
		p.Driver = NodePg
		return nil
	}
	if tree, err := jsproject.Open(p.Root); err == nil {
		for _, d := range tree.Drivers() {
			if d.Connects() {
				p.Driver = Driver(d.Name)
				return nil
			}
		}
	}
	return &ProjectError{ErrDriver, "package.json names no driver of PostgreSQL that is known here; nothing was touched.",
		p.Add("pg") + ", or Prisma: dbtasks/docs/targets.md, dev:init"}
}

// Generates tells whether dev:init writes a client module, and the settings of
// Vite and Vitest that go with it. Elsewhere these are the project's own, and
// dev:check says what they want.
func (p Project) Generates() bool {
	return p.Kind != Plain && (p.Driver == Prisma || p.Driver == NodePg)
}

// prismaMajor is that of the installed client, of the lock file, else of
// package.json's range; 0: can't be told.
func (p *Project) prismaMajor() int {
	tree, err := jsproject.Open(p.Root)
	if err != nil {
		return 0
	}
	if major := tree.Major(prismaPackage); major > 0 {
		return major
	}
	return tree.Major("prisma")
}

// readSchema finds the generated client by the generator of the schema.
func (p *Project) readSchema() error {
	for _, s := range jsproject.PrismaSchemas(p.Root, p.schemaFiles()) {
		if s.Provider != "" && !strings.HasPrefix(s.Provider, "postgres") {
			return &ProjectError{ErrSchema, fmt.Sprintf("%s says provider = %q: dev:init is for PostgreSQL; nothing was touched.", s.File, s.Provider), "set provider = \"postgresql\" in " + s.File}
		}
		if s.Client == "" && s.Output == "" || p.Schema != "" {
			continue
		}
		p.Schema = s.File
		switch {
		case s.Output != "":
			p.Client = s.Output
			if s.Client == "prisma-client" {
				p.Client += "/client" // the newer generator writes client.ts, the older one index.js
			}
		case s.Client == "prisma-client":
			return &ProjectError{ErrSchema, s.File + " has a generator without output, which provider \"prisma-client\" needs; nothing was touched.", `write into its generator: output = "../src/generated/prisma"`}
		default:
			p.Client = prismaPackage
		}
	}
	if p.Schema == "" {
		return &ProjectError{ErrSchema, "There is no schema.prisma: where Prisma generates its client can't be told; nothing was touched.",
			"npx prisma init --datasource-provider postgresql"}
	}
	return nil
}

// schemaFiles are the places of the schema, relative to the root: what
// prisma.config and package.json say, and Prisma's defaults.
func (p *Project) schemaFiles() []string {
	var places []string
	if config := p.code.Config(".", "prisma.config"); config != nil {
		if schema := p.code.Folder(config.At("schema")); schema != "" {
			places = append(places, schema)
		}
	}
	places = append(places, p.pkg.String("prisma", "schema"), "prisma/schema.prisma", "schema.prisma", "prisma/schema")
	var files []string
	add := func(file string) {
		if file = slash(filepath.Clean(file)); !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	for _, place := range places {
		if place == "" {
			continue
		}
		if info, err := os.Stat(p.path(place)); err == nil && info.IsDir() {
			inside, _ := filepath.Glob(filepath.Join(p.path(place), "*.prisma"))
			for _, file := range inside {
				if rel, err := filepath.Rel(p.Root, file); err == nil {
					add(rel)
				}
			}
			continue
		}
		add(place)
	}
	return files
}

func (p *Project) path(rel string) string { return filepath.Join(p.Root, filepath.FromSlash(rel)) }

func (p *Project) exists(rel string) bool {
	_, err := os.Lstat(p.path(rel))
	return err == nil
}

// first is the first of these files that is there; "" for none.
func (p *Project) first(names ...string) string {
	i := slices.IndexFunc(names, p.exists)
	if i < 0 {
		return ""
	}
	return names[i]
}

// Run is a script of package.json as the user types it.
func (p Project) Run(script string) string {
	if p.Manager == "yarn" || p.Manager == "pnpm" {
		return p.Manager + " " + script
	}
	return p.Manager + " run " + script
}

// Add is the command that installs packages.
func (p Project) Add(packages ...string) string {
	verb := " add "
	if p.Manager == "npm" {
		verb = " install "
	}
	return p.Manager + verb + strings.Join(packages, " ")
}

// extension of source files.
func (p *Project) extension() string {
	if p.TypeScript {
		return ".ts"
	}
	return ".js"
}

func slash(path string) string { return filepath.ToSlash(path) }

func withoutBOM(text []byte) []byte {
	return []byte(strings.TrimPrefix(string(text), "\ufeff"))
}
