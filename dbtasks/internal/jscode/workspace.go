package jscode

import (
	"path"
	"strings"

	"github.com/dop251/goja/ast"
)

// packageAliases are the names under which package.json files let modules of
// the project be imported: a workspace's packages, and "imports" ("#db").
func packageAliases(root string, files []string) []alias {
	var list []alias
	for _, file := range files {
		if path.Base(file) != "package.json" {
			continue
		}
		content, _ := readSettings(root, file)
		_, pkg := parseJSON(content)
		dir := path.Dir(file)
		if name := text(pkg, "name"); name != "" && dir != "." {
			list = append(list,
				alias{prefix: name, exact: true, own: true, to: mains(pkg, dir)},
				alias{prefix: name + "/", own: true, to: subpaths(pkg, dir)})
		}
		imports, _ := get(pkg, "imports").(*ast.ObjectLiteral)
		if imports == nil {
			continue
		}
		for _, p := range imports.Value {
			keyed, ok := p.(*ast.PropertyKeyed)
			if !ok || target(keyed.Value) == "" {
				continue
			}
			prefix, suffix, star := strings.Cut(keyOf(keyed), "*")
			list = append(list, alias{prefix: prefix, suffix: suffix, exact: !star, dir: dir, to: []string{path.Join(dir, target(keyed.Value))}})
		}
	}
	return list
}

// mains are where a package's own module may lie: where it says, and in its
// sources, because what it says is often what a build makes.
func mains(pkg ast.Node, dir string) []string {
	var list []string
	for _, n := range []ast.Node{get(pkg, "exports", "."), get(pkg, "exports"), get(pkg, "svelte"), get(pkg, "module"), get(pkg, "main"), get(pkg, "types")} {
		if at := target(n); at != "" && !strings.HasSuffix(at, ".d.ts") {
			list = append(list, path.Join(dir, at))
		}
	}
	return append(list, dir+"/src/index", dir+"/index")
}

// subpaths are where "name/rest" may lie: where "exports" says, and as written.
func subpaths(pkg ast.Node, dir string) []string {
	var list []string
	if exports, ok := get(pkg, "exports").(*ast.ObjectLiteral); ok {
		for _, p := range exports.Value {
			if keyed, ok := p.(*ast.PropertyKeyed); ok && keyOf(keyed) == "./*" && target(keyed.Value) != "" {
				list = append(list, path.Join(dir, target(keyed.Value)))
			}
		}
	}
	return append(list, dir+"/*", dir+"/src/*")
}

// target is a path, or the first of its conditions.
func target(n ast.Node) string {
	if at, ok := stringOf(n); ok {
		return at
	}
	for _, condition := range []string{"development", "import", "default", "require", "node"} {
		if at := text(n, condition); at != "" {
			return at
		}
	}
	return ""
}
