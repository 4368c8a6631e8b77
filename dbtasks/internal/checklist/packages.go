package checklist

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// packages are the package.json files of the project by folder, relative with
// slashes, the root's being "".
type packages struct {
	root    string
	trees   map[string]*jsproject.Tree
	schemas []jsproject.PrismaSchema
}

func readPackages(root string, files []string) packages {
	p := packages{root: root, trees: map[string]*jsproject.Tree{}}
	var schemas []string
	for _, file := range files {
		switch {
		case path.Base(file) == "package.json" && len(p.trees) < 500:
			dir := path.Dir(file)
			if dir == "." {
				dir = ""
			}
			if tree, err := jsproject.Open(filepath.Join(root, filepath.FromSlash(dir))); err == nil {
				p.trees[dir] = tree
			}
		case path.Ext(file) == ".prisma":
			schemas = append(schemas, file)
		}
	}
	p.schemas = jsproject.PrismaSchemas(root, schemas)
	return p
}

// at is the package in a folder; nil: there is none.
func (p packages) at(dir string) *jsproject.Package {
	if tree := p.trees[dir]; tree != nil {
		return tree.Package
	}
	return nil
}

// dirOf is the folder of the nearest package above a file.
func (p packages) dirOf(file string) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if p.trees[dir] != nil {
			return dir
		}
	}
	return ""
}

// treeOf is the nearest package above a file with its workspace; nil: none.
func (p packages) treeOf(file string) *jsproject.Tree { return p.trees[p.dirOf(file)] }

// depends tells whether the package of a file, or the root's, asks for another.
func (p packages) depends(file, name string) (versions string, ok bool) {
	for _, dir := range []string{p.dirOf(file), ""} {
		if tree := p.trees[dir]; tree != nil {
			if versions, ok = tree.Depends(name); ok {
				return versions, true
			}
		}
	}
	return "", false
}

// depending are those of names that any package of the project asks for.
func (p packages) depending(names []string) []string {
	var found []string
	for _, name := range names {
		for _, tree := range p.trees {
			if _, ok := tree.Package.Depends(name); ok && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}

// prismaMajor is the major version of Prisma that a file's package has, or else
// any package of the project: a workspace has the client in one of them.
func (p packages) prismaMajor(file string) int {
	const name = "@prisma/client"
	for _, dir := range []string{p.dirOf(file), ""} {
		if tree := p.trees[dir]; tree != nil {
			if major := tree.Major(name); major > 0 {
				return major
			}
		}
	}
	best := 0
	for _, tree := range p.trees {
		if _, ok := tree.Package.Depends(name); ok {
			best = max(best, tree.Major(name))
		}
	}
	// Redwood brings Prisma along, and names no version of its own.
	if _, ok := p.depends(file, "@redwoodjs/core"); best == 0 && ok {
		return 5
	}
	return best
}

// prismaProvider is the database of the schema nearest to a file; "" where
// there is none, or where there are several and none is nearest.
func (p packages) prismaProvider(file string) string {
	near := slices.DeleteFunc(slices.Clone(p.schemas), func(s jsproject.PrismaSchema) bool {
		return s.Provider == "" || p.dirOf(s.File) != p.dirOf(file)
	})
	if len(near) == 0 {
		near = slices.DeleteFunc(slices.Clone(p.schemas), func(s jsproject.PrismaSchema) bool { return s.Provider == "" })
	}
	for _, s := range near {
		if strings.HasPrefix(s.Provider, "postgres") || s.Provider == "cockroachdb" {
			return s.Provider
		}
	}
	if len(near) > 0 {
		return near[0].Provider
	}
	return ""
}

// runByScripts are the files that npm scripts run by themselves, as in "tsx
// prisma/seed.ts"; what a server's script runs stays, and is evaluated again.
func (p packages) runByScripts() map[string]bool {
	run := map[string]bool{}
	for dir, tree := range p.trees {
		lines := map[string]string{"prisma seed": tree.Package.String("prisma", "seed")}
		for name, text := range tree.Package.Scripts {
			if stem, _, _ := strings.Cut(name, ":"); !slices.Contains([]string{"dev", "start", "serve", "watch", "preview", "predev", "prestart", "develop"}, stem) {
				lines[name] = text
			}
		}
		for _, text := range lines {
			for _, call := range commands(parseShell(text)) {
				for _, word := range call {
					if jscode.IsCode(word) {
						run[path.Join(dir, word)] = true
					}
				}
			}
		}
	}
	return run
}

// reload is what becomes of a client's module when a file changes: what the dev
// servers do whose packages lead to it by imports.
func (c *check) reload(made *jscode.Client) jsproject.Reload {
	dirs := map[string]bool{}
	for _, user := range c.code.Users(made.Module) {
		dirs[c.packages.dirOf(user.Path())] = true
	}
	found := map[jsproject.Reload]bool{}
	for dir := range dirs {
		if pkg := c.packages.at(dir); pkg != nil {
			if reload, told := pkg.Reloads(c.code.Mentions(dir, "ssrLoadModule", "middlewareMode", "configureServer", "HotModuleReplacement")); told {
				found[reload] = true
			}
		}
	}
	if root := c.packages.at(""); len(found) == 0 && root != nil && !dirs[""] {
		if reload, told := root.Reloads(false); told {
			found[reload] = true
		}
	}
	for _, reload := range []jsproject.Reload{jsproject.InProcess, jsproject.ReloadUnknown, jsproject.NewProcess, jsproject.NoReload} {
		if found[reload] {
			return reload
		}
	}
	return jsproject.ReloadUnknown
}

// hotData tells whether import.meta.hot.data is there on the server: Vite's
// module runner has it (SvelteKit 3, TanStack Start), ssrLoadModule does not.
func (c *check) hotData(made *jscode.Client) (leaks, known bool) {
	file := made.Module.Path()
	if _, ok := c.packages.depends(file, "@sveltejs/kit"); ok {
		if tree := c.packages.treeOf(file); tree != nil {
			if major := tree.Major("@sveltejs/kit"); major > 0 {
				return major < 3, true
			}
		}
		return false, false
	}
	_, tanstack := c.packages.depends(file, "@tanstack/react-start")
	return false, tanstack
}
