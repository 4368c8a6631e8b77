package jscode

import (
	"path"
	"slices"
	"strings"
)

// resolver finds the module that an import names.
type resolver struct {
	files   map[string]bool // the project's files, relative with slashes
	aliases []alias         // the longest prefix first
	configs map[string]*tsconfig
	found   map[[2]string][2]string // what find said, by folder and specifier
}

// alias maps the start of a specifier to folders or files.
type alias struct {
	prefix string   // "$lib/", "@/", "~"
	exact  bool     // the whole specifier
	suffix string   // behind the star of a tsconfig path
	to     []string // relative to the root; what the star stood for is added
	dir    string   // the folder for whose modules it holds; "" or ".": all
	own    bool     // the name of a package of the project
}

// extensions in the order in which bundlers try them.
var extensions = []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".svelte", ".vue", ".astro"}

// find is the project's file that spec names, seen from a module; target is
// empty for a package, or for a file that is not part of the project (a
// generated client that git ignores), and pkg is then the package's specifier,
// or the file's path with a leading "./".
func (r *resolver) find(from, spec string) (target, pkg string) {
	key := [2]string{path.Dir(from), spec}
	if known, ok := r.found[key]; ok {
		return known[0], known[1]
	}
	target, pkg = r.search(from, spec)
	if r.found != nil {
		r.found[key] = [2]string{target, pkg}
	}
	return target, pkg
}

func (r *resolver) search(from, spec string) (target, pkg string) {
	spec, _, _ = strings.Cut(spec, "?") // Vite's ?raw, ?url
	if strings.HasPrefix(spec, "./") || strings.HasPrefix(spec, "../") || spec == "." || spec == ".." {
		at := path.Join(path.Dir(from), spec)
		if file := r.file(at); file != "" {
			return file, ""
		}
		return "", "./" + at
	}
	miss := ""
	for _, list := range [][]alias{r.pathsFor(from), r.aliases} {
		for i := range list {
			a := &list[i]
			rest, ok := a.match(spec)
			if !ok || a.dir != "" && a.dir != "." && !strings.HasPrefix(from, a.dir+"/") {
				continue
			}
			for _, to := range a.to {
				at := path.Clean(strings.Replace(to, "*", rest, 1))
				if file := r.file(at); file != "" {
					return file, ""
				}
				if miss == "" && a.prefix != "" && !a.own {
					miss = "./" + at
				}
			}
		}
	}
	if miss != "" {
		return "", miss
	}
	return "", spec
}

func (a alias) match(spec string) (rest string, ok bool) {
	if a.exact {
		return "", spec == a.prefix
	}
	if len(spec) < len(a.prefix)+len(a.suffix) || !strings.HasPrefix(spec, a.prefix) || !strings.HasSuffix(spec, a.suffix) {
		return "", false
	}
	return spec[len(a.prefix) : len(spec)-len(a.suffix)], true
}

// file is the file at a path without its extension, or the index of a folder;
// an import of x.js may mean x.ts.
func (r *resolver) file(at string) string {
	if r.files[at] {
		return at
	}
	for _, ext := range extensions {
		if r.files[at+ext] {
			return at + ext
		}
	}
	if stem, ext := strings.TrimSuffix(at, path.Ext(at)), path.Ext(at); slices.Contains([]string{".js", ".jsx", ".mjs", ".cjs"}, ext) {
		for _, ts := range []string{strings.Replace(ext, "js", "ts", 1), ".ts", ".tsx"} {
			if r.files[stem+ts] {
				return stem + ts
			}
		}
	}
	for _, ext := range extensions {
		if r.files[path.Join(at, "index"+ext)] {
			return path.Join(at, "index"+ext)
		}
	}
	return ""
}

// pathsFor are the aliases of the tsconfig or jsconfig nearest to a module.
func (r *resolver) pathsFor(from string) []alias {
	for dir := path.Dir(from); ; dir = path.Dir(dir) {
		if c := r.configs[dir]; c != nil {
			return c.aliases
		}
		if dir == "." || dir == "/" {
			return nil
		}
	}
}

// isOwnPackage tells whether a specifier names a package of the project.
func (r *resolver) isOwnPackage(spec string) bool {
	for _, a := range r.aliases {
		if a.own && (spec == a.prefix || strings.HasPrefix(spec, a.prefix+"/")) {
			return true
		}
	}
	return false
}
