package checklist

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// bundles: no module that goes to the browser imports the client.
func (c *check) bundles(i *Item) {
	for _, name := range c.project.paths {
		m := c.project.modules[name]
		if m.scope == nil || !goesToBrowser(m) {
			continue
		}
		for _, imp := range m.imports {
			if imp.target == nil || imp.target.scope == nil || !c.leadsToClient(imp.target) {
				continue
			}
			i.wrong(m.path, imp.src.line(imp.at), fmt.Sprintf("the browser's bundle gets the client: this module runs in the browser and imports %s", imp.target.path),
				"The address of the database and its password would be sent to every visitor, and the driver can't run there.",
				"load it on the server (+page.server.ts, a route handler, a server action) and pass the data on")
		}
	}
}

// goesToBrowser tells by the frameworks' conventions.
func goesToBrowser(m *module) bool {
	base := path.Base(m.path)
	stem := strings.TrimSuffix(base, path.Ext(base))
	switch {
	case isTest(m.path):
		return false
	case strings.HasSuffix(base, ".svelte"), strings.HasSuffix(base, ".vue"), stem == "+page", stem == "+layout", stem == "hooks.client":
		return true
	}
	return hasDirective(m, "use client")
}

func hasDirective(m *module, directive string) bool {
	for _, src := range m.sources {
		for _, s := range src.program.Body {
			e, ok := s.(*ast.ExpressionStatement)
			if !ok {
				continue
			}
			if text, ok := stringOf(e.Expression); ok && text == directive {
				return true
			}
		}
	}
	return false
}

// leadsToClient follows static imports to the client; a server action or
// remote function is called over the network and not bundled.
func (c *check) leadsToClient(m *module) bool {
	seen, todo := map[*module]bool{m: true}, []*module{m}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if strings.Contains(path.Base(at.path), ".remote.") || at.scope != nil && hasDirective(at, "use server") {
			continue
		}
		if at == c.home.module {
			return true
		}
		for _, i := range at.imports {
			if i.target != nil && !seen[i.target] && !goesToBrowser(i.target) { // that one is named itself
				seen[i.target] = true
				todo = append(todo, i.target)
			}
		}
	}
	return false
}

// generatorOutput is the folder that a schema's generator writes the client to;
// empty when it is node_modules. The schema's language has a block's name, a
// brace, and one "name = value" a line.
func generatorOutput(root, schema string) string {
	content, ok := readFile(root, schema)
	if !ok {
		return ""
	}
	inGenerator := false
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "//")
		fields := strings.Fields(line)
		switch {
		case len(fields) > 0 && fields[0] == "generator":
			inGenerator = true
		case strings.HasPrefix(line, "}"):
			inGenerator = false
		case inGenerator && len(fields) >= 3 && fields[0] == "output" && fields[1] == "=":
			return path.Join(path.Dir(schema), strings.Trim(fields[2], `"`))
		}
	}
	return ""
}

// dataFolders are PostgreSQL's data folders in the project, two levels down.
func dataFolders(root string) []string {
	var list []string
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && d.Name() != "PG_VERSION" {
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, relErr := filepath.Rel(root, name)
		if relErr != nil {
			return nil
		}
		rel = filepath.ToSlash(rel)
		if !d.IsDir() {
			list = append(list, path.Dir(rel))
			return nil
		}
		if rel != "." && (slices.Contains(leftOut, d.Name()) || strings.Count(rel, "/") > 1) {
			return fs.SkipDir
		}
		return nil
	})
	return list
}
