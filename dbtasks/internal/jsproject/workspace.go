package jsproject

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// WorkspaceRoot is the root of the declared monorepo that dir, a package's
// folder, belongs to: the nearest folder above it, within the same git
// repository and below the home folder, whose package.json (npm, yarn, bun, turbo, nx), pnpm-workspace.yaml,
// lerna.json or deno.json names dir among its workspaces, or whose nx.json
// stands above a project.json, or whose go.work uses it. It is dir itself where
// there is none.
func WorkspaceRoot(dir string) string {
	folders, _ := upwards(dir)
	for _, above := range folders[1:] {
		rel, err := filepath.Rel(above, dir)
		if err != nil {
			return dir
		}
		if isMember(declaredIn(above), filepath.ToSlash(rel)) || usedByGoWork(above, dir) ||
			plainfile.Exists(filepath.Join(above, "nx.json")) && plainfile.Exists(filepath.Join(dir, "project.json")) {
			return above
		}
	}
	return dir
}

// usedByGoWork tells whether a go.work in above uses the module in dir.
func usedByGoWork(above, dir string) bool {
	text, err := plainfile.Read(filepath.Join(above, "go.work"), plainfile.Settings)
	if err != nil {
		return false
	}
	file, err := modfile.ParseWork("go.work", text, nil)
	return err == nil && slices.ContainsFunc(file.Use, func(u *modfile.Use) bool {
		return !filepath.IsAbs(u.Path) && filepath.Join(above, filepath.FromSlash(u.Path)) == dir
	})
}

// Workspaces are the folders of the packages of the monorepo whose root this
// is, sorted, absolute where root is; nil where it declares none.
func Workspaces(root string) []string {
	declared := declaredIn(root)
	var found []string
	looked := 0
	for _, pattern := range declared {
		if strings.HasPrefix(pattern, "!") {
			continue
		}
		base, rest := doublestar.SplitPattern(pattern)
		deepest := strings.Count(rest, "/")
		if strings.Contains(rest, "**") {
			deepest = maxDepth
		}
		start := filepath.Join(root, filepath.FromSlash(base))
		_ = filepath.WalkDir(start, func(at string, d fs.DirEntry, err error) error {
			if looked++; err != nil || looked > maxFolders {
				return fs.SkipDir
			}
			if !d.IsDir() {
				return nil
			}
			rel, err := filepath.Rel(root, at)
			if err != nil || at != start && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			if isMember(declared, filepath.ToSlash(rel)) && plainfile.Exists(filepath.Join(at, "package.json")) {
				found = append(found, at)
			}
			if below, _ := filepath.Rel(start, at); below != "." && strings.Count(filepath.ToSlash(below), "/") >= deepest {
				return fs.SkipDir
			}
			return nil
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// How far "**" is followed, and how many entries of folders are looked at.
const (
	maxDepth   = 6
	maxFolders = 50_000
)

// isMember tells whether a folder, relative with slashes, is among the
// workspaces: in one of the patterns and in none that begins with "!".
func isMember(declared []string, rel string) bool {
	in := false
	for _, pattern := range declared {
		out := strings.HasPrefix(pattern, "!")
		if match, err := doublestar.Match(strings.TrimPrefix(pattern, "!"), rel); err == nil && match && rel != "." {
			if out {
				return false
			}
			in = true
		}
	}
	return in
}

// declaredIn are the patterns of workspaces that the files of one folder declare.
func declaredIn(dir string) []string {
	var list []string
	if p, err := Read(dir); err == nil {
		list = append(list, patterns(p.Value("workspaces"))...)
	}
	if text, err := plainfile.Read(filepath.Join(dir, "pnpm-workspace.yaml"), plainfile.Settings); err == nil {
		var file struct{ Packages []string }
		if yaml.Unmarshal(text, &file) == nil {
			list = append(list, file.Packages...)
		}
	}
	for name, key := range map[string]string{"lerna.json": "packages", "deno.json": "workspace"} {
		if text, err := plainfile.Read(filepath.Join(dir, name), plainfile.Settings); err == nil {
			var file map[string]any
			if json.Unmarshal(text, &file) == nil {
				list = append(list, patterns(file[key])...)
			}
		}
	}
	for i, pattern := range list {
		negated := strings.HasPrefix(pattern, "!")
		pattern = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(pattern, "!"), "./"), "/")
		if negated {
			pattern = "!" + pattern
		}
		list[i] = pattern
	}
	slices.Sort(list) // two of the files come from a map
	return slices.Compact(list)
}
