package jsproject

import (
	"bufio"
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// Version is the version of a package that the project has: the installed one
// (node_modules of the package, then of each folder up to the workspace's
// root), else the lock file's, else the range that package.json asks for; ""
// where none tells.
func (t *Tree) Version(name string) string {
	for _, dir := range t.folders() {
		if p, err := Read(filepath.Join(dir, "node_modules", filepath.FromSlash(name))); err == nil && p.Version != "" {
			return p.Version
		}
	}
	for _, dir := range t.folders() {
		if v := locked(dir, name); v != "" {
			return v
		}
	}
	for _, p := range t.Reached() {
		if v, ok := p.Depends(name); ok {
			return v
		}
	}
	v, _ := t.Top.Depends(name)
	return v
}

// Major is the major number of Version; 0 where it can't be told ("latest",
// "workspace:*", "catalog:").
func (t *Tree) Major(name string) int { return MajorOf(t.Version(name)) }

// MajorOf is the first number of a version or range: "^6.1.0", "npm:x@7.0.0".
func MajorOf(version string) int {
	version = version[strings.LastIndexByte(version, '@')+1:]
	if strings.Contains(version, ":") { // a path or an address: its numbers mean something else
		return 0
	}
	digits := strings.TrimLeft(version, "^~>=<v ")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return 0
	}
	return n
}

// locked reads the lock files of one folder. pnpm's, yarn's and Bun's are read
// line by line: one line of a long file is wanted.
func locked(dir, name string) string {
	for _, file := range []string{"package-lock.json", "npm-shrinkwrap.json"} {
		if text, err := plainfile.Read(filepath.Join(dir, file), plainfile.Lock); err == nil {
			type entry struct{ Version string }
			var lock struct{ Packages, Dependencies map[string]entry }
			if json.Unmarshal(text, &lock) == nil {
				if v := lock.Packages["node_modules/"+name].Version; v != "" {
					return v
				}
				if v := lock.Dependencies[name].Version; v != "" {
					return v
				}
			}
		}
	}
	if text, err := plainfile.Read(filepath.Join(dir, "pnpm-lock.yaml"), plainfile.Lock); err == nil {
		// "  '@prisma/client@6.1.0(…)':" in the list of packages
		if v := fromLines(text, func(line string) string {
			rest, ok := strings.CutPrefix(strings.Trim(line, "'/:"), name+"@")
			if !ok {
				return ""
			}
			v, _, _ := strings.Cut(rest, "(")
			return strings.Trim(v, "':")
		}); v != "" {
			return v
		}
	}
	if text, err := plainfile.Read(filepath.Join(dir, "yarn.lock"), plainfile.Lock); err == nil {
		// "@prisma/client@^6.0.0":\n  version "6.1.0"
		within := false
		return fromLines(text, func(line string) string {
			if v, ok := strings.CutPrefix(line, "version"); ok && within {
				return strings.Trim(v, `": `)
			}
			if strings.HasSuffix(line, ":") {
				within = strings.HasPrefix(strings.Trim(line, `"`), name+"@")
			}
			return ""
		})
	}
	if text, err := plainfile.Read(filepath.Join(dir, "bun.lock"), plainfile.Lock); err == nil {
		// "pg": ["pg@8.16.3", …
		return fromLines(text, func(line string) string {
			rest, ok := strings.CutPrefix(line, strconv.Quote(name)+`: ["`+name+"@")
			if !ok {
				return ""
			}
			v, _, _ := strings.Cut(rest, `"`)
			return v
		})
	}
	return ""
}

// fromLines is the first answer that is not empty.
func fromLines(text []byte, tell func(trimmed string) string) string {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, plainfile.Settings)
	for lines.Scan() {
		if v := tell(strings.TrimSpace(lines.Text())); v != "" {
			return v
		}
	}
	return ""
}
