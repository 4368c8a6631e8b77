package settings

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// projectMarks are what a project's folder has.
var projectMarks = []string{"package.json", "go.mod", ".git"}

// ProjectRoot is the nearest folder upwards with package.json, go.mod or .git,
// absolute; dir itself where there is none. The home folder and the root of the
// file system hold everything and are no project, nor is a folder that
// everybody may put files into, such as /tmp.
func ProjectRoot(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil { // fails only when the working directory is gone
		dir = abs
	}
	home, _ := os.UserHomeDir()
	for at := dir; at != home && filepath.Dir(at) != at; at = filepath.Dir(at) {
		for _, mark := range projectMarks {
			if exists(at, mark) {
				if at != dir && sharedByAll(at) {
					break
				}
				return at
			}
		}
	}
	return dir
}

// sharedByAll tells a folder that everybody may put files into.
func sharedByAll(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o002 != 0 && plainfile.TrustFolder(dir) != nil
}

// place is where the settings of a project lie.
type place struct {
	dir  string          // the folder of the package that was called for
	top  string          // the root of its monorepo; dir where it belongs to none
	tree *jsproject.Tree // nil: there is no package.json
}

// placeOf finds the project that dir lies in. The error is a
// *plainfile.TrustError.
func placeOf(dir string) (place, error) {
	p := place{dir: ProjectRoot(dir)}
	p.top = jsproject.WorkspaceRoot(p.dir)
	for _, folder := range []string{p.dir, p.top} {
		if err := plainfile.TrustFolder(folder); err != nil {
			return p, err
		}
	}
	for _, name := range []string{"package.json", "go.mod"} {
		if exists(p.dir, name) {
			if err := plainfile.Trust(filepath.Join(p.dir, name)); err != nil {
				return p, err
			}
		}
	}
	if tree, err := jsproject.Open(p.dir); err == nil {
		p.tree = tree
	}
	return p, nil
}

var (
	modeFlag  = lazyregexp.New(`(?:^|\s)--mode[= ]["']?([\w.-]+)`)
	envFlag   = lazyregexp.New(`(?:^|\s)--env-file(?:-if-exists)?[= ]["']?([^\s"']+)`)
	cliFlag   = lazyregexp.New(`(?:^|\s)-e ["']?([^\s"'=]+)`)
	xFlag     = lazyregexp.New(`(?:^|\s)(?:-f|--env-file)[= ]["']?([^\s"']+)`)
	nuxtFlag  = lazyregexp.New(`(?:^|\s)--dotenv[= ]["']?([^\s"']+)`)
	envDirKey = lazyregexp.New(`(?m)^[^/\n]*\benvDir\s*:\s*["']([^"']+)["']`)
	kitDirKey = lazyregexp.New(`(?s)\benv\s*:\s*\{[^{}]*\bdir\s*:\s*["']([^"']+)["']`)
)

// script reads what the dev scripts of the package and of the monorepo's root
// say about files: the mode, and the files that they load themselves (dotenv-cli,
// env-cmd, dotenvx, node --env-file), absolute.
func (p place) script(mode string) (string, []string) {
	if p.tree == nil {
		return mode, nil
	}
	name := map[string]string{"development": "dev", "test": "test:run"}[mode]
	var files []string
	for _, pkg := range []*jsproject.Package{p.tree.Package, p.tree.Top} {
		line := pkg.Scripts[name]
		if m := modeFlag().FindStringSubmatch(line); m != nil && pkg == p.tree.Package {
			mode = m[1]
		}
		words := " " + strings.Join(strings.Fields(line), " ")
		var named [][]string
		switch {
		case strings.Contains(words, " dotenvx "):
			named = xFlag().FindAllStringSubmatch(line, -1)
		case strings.Contains(words, " dotenv "):
			named = cliFlag().FindAllStringSubmatch(line, -1)
			if named == nil {
				named = [][]string{{"", ".env"}}
			}
		case strings.Contains(words, " env-cmd "):
			named = xFlag().FindAllStringSubmatch(line, -1)
		case strings.Contains(words, " --dotenv"):
			named = nuxtFlag().FindAllStringSubmatch(line, -1)
		default:
			named = envFlag().FindAllStringSubmatch(line, -1)
		}
		for _, m := range named {
			file := m[1]
			if !filepath.IsAbs(file) {
				file = filepath.Join(pkg.Dir, filepath.FromSlash(file))
			}
			files = append(files, file)
		}
		if pkg == p.tree.Top {
			break
		}
	}
	return mode, files
}

// envDir is the folder of the framework's files: the package's, or the one
// that its settings name.
func (p place) envDir() string {
	vite := []string{"vite.config.ts", "vite.config.js", "vite.config.mts", "vite.config.mjs", "astro.config.mjs", "astro.config.ts"}
	for i, name := range append(vite, "svelte.config.js", "svelte.config.ts") {
		key := envDirKey
		if i >= len(vite) {
			key = kitDirKey
		}
		text, err := plainfile.Read(filepath.Join(p.dir, name), plainfile.Settings)
		if err != nil {
			continue
		}
		if m := key().FindSubmatch(text); m != nil && !filepath.IsAbs(string(m[1])) {
			return filepath.Join(p.dir, filepath.FromSlash(string(m[1])))
		}
	}
	return p.dir
}
