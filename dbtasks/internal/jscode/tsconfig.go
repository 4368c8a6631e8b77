package jscode

import (
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/dop251/goja/ast"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// readSettings reads a JSON file of the project; false where it can't be read.
func readSettings(root, name string) (string, bool) {
	text, err := plainfile.Read(filepath.Join(root, filepath.FromSlash(name)), plainfile.Settings)
	return string(text), err == nil
}

// tsconfig is the aliases of one tsconfig.json or jsconfig.json, with what it
// extends.
type tsconfig struct {
	aliases []alias
}

// readTsconfigs reads every tsconfig.json and jsconfig.json of the project, by
// folder. What they extend is read from the disk: SvelteKit's lies in
// .svelte-kit, which git ignores.
func readTsconfigs(root string, files []string) map[string]*tsconfig {
	configs := map[string]*tsconfig{}
	read := map[string][]alias{}
	for _, name := range []string{"jsconfig.json", "tsconfig.json"} { // the later one wins
		for _, file := range files {
			if path.Base(file) == name {
				configs[path.Dir(file)] = &tsconfig{aliases: readPaths(root, file, read)}
			}
		}
	}
	return configs
}

// readPaths are the paths of one file: its own, else those of what it extends.
func readPaths(root, file string, read map[string][]alias) (list []alias) {
	if list, ok := read[file]; ok { // also one that is being read: a circle
		return list
	}
	read[file] = nil
	defer func() { read[file] = list }()
	content, ok := readSettings(root, file)
	if !ok {
		return nil
	}
	_, config := parseJSON(content)
	dir := path.Dir(file)
	base, hasBase := stringOf(get(config, "compilerOptions", "baseUrl"))
	if paths, ok := get(config, "compilerOptions", "paths").(*ast.ObjectLiteral); ok {
		list = aliasesOf(paths, path.Join(dir, base))
	} else {
		for _, extended := range stringsIn(get(config, "extends")) {
			if more := readPaths(root, extendedFile(dir, extended), read); more != nil {
				list = more
			}
		}
		for _, reference := range references(config) { // a solution: Vite's React template
			at := path.Join(dir, reference)
			if path.Ext(at) != ".json" {
				at = path.Join(at, "tsconfig.json")
			}
			list = append(list, readPaths(root, at, read)...)
		}
	}
	if hasBase {
		list = append(list, alias{to: []string{path.Join(dir, base) + "/*"}})
	}
	return list
}

func references(config ast.Node) []string {
	var list []string
	if array, ok := get(config, "references").(*ast.ArrayLiteral); ok {
		for _, e := range array.Value {
			if at := text(e, "path"); at != "" {
				list = append(list, at)
			}
		}
	}
	return list
}

// extendedFile is the file that "extends" names; a package's lies in node_modules.
func extendedFile(dir, extended string) string {
	at := path.Join("node_modules", extended)
	if strings.HasPrefix(extended, ".") {
		at = path.Join(dir, extended)
	}
	if path.Ext(at) != ".json" {
		at += ".json"
	}
	return at
}

func aliasesOf(paths *ast.ObjectLiteral, base string) []alias {
	var list []alias
	for _, p := range paths.Value {
		keyed, ok := p.(*ast.PropertyKeyed)
		if !ok {
			continue
		}
		prefix, suffix, star := strings.Cut(keyOf(keyed), "*")
		a := alias{prefix: prefix, suffix: suffix, exact: !star}
		for _, to := range stringsIn(keyed.Value) {
			a.to = append(a.to, path.Join(base, to))
		}
		list = append(list, a)
	}
	sort.SliceStable(list, func(i, j int) bool { return len(list[i].prefix) > len(list[j].prefix) })
	return list
}
