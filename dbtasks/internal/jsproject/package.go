// Package jsproject reads a JavaScript project as what it is made of: package.json
// files, the workspace that they form, lock files, the framework and the
// PostgreSQL drivers. It is the one reader of these files, and it runs nothing.
// The tables of frameworks (frameworks.go) and of drivers (drivers.go) are the
// only places that know one from the other.
package jsproject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// Why there is no Package.
var (
	ErrNoPackage  = errors.New("there is no package.json")
	ErrBadPackage = errors.New("package.json can't be read")
)

// Package is one package.json as read.
type Package struct {
	Dir            string // its folder, as it was given to Read
	Text           []byte // without a byte-order mark
	Name           string
	Version        string
	Module         bool              // "type": "module": .js files are ECMAScript modules
	PackageManager string            // Corepack's field ("pnpm@9.1.0+sha512…"), else the name in devEngines
	Scripts        map[string]string // never nil

	// Ranges by package name, never nil. Of a package that is in several lists
	// Dependencies has the range of "dependencies", and Dev does not have it.
	Dependencies map[string]string // dependencies, optionalDependencies, peerDependencies
	Dev          map[string]string // devDependencies

	whole map[string]any
}

// Read reads package.json of dir: regular files up to plainfile.Settings bytes
// only. The error is ErrNoPackage or ErrBadPackage. What has another type than
// npm wants counts as not there.
func Read(dir string) (*Package, error) {
	file := filepath.Join(dir, "package.json")
	text, err := plainfile.Read(file, plainfile.Settings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNoPackage, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPackage, err)
	}
	p := &Package{Dir: dir, Text: text}
	if err := json.Unmarshal(text, &p.whole); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadPackage, file, err)
	}
	p.Name, p.Version, p.Module = p.String("name"), p.String("version"), p.String("type") == "module"
	p.PackageManager = p.String("packageManager")
	if p.PackageManager == "" {
		p.PackageManager = p.String("devEngines", "packageManager", "name")
	}
	p.Scripts, p.Dependencies, p.Dev = p.Strings("scripts"), map[string]string{}, p.Strings("devDependencies")
	for _, list := range []string{"peerDependencies", "optionalDependencies", "dependencies"} {
		maps.Copy(p.Dependencies, p.Strings(list))
	}
	maps.DeleteFunc(p.Dev, func(name, _ string) bool { _, both := p.Dependencies[name]; return both })
	return p, nil
}

// Depends tells whether the package asks for another, and in which range.
func (p *Package) Depends(name string) (versions string, ok bool) {
	if versions, ok = p.Dependencies[name]; !ok {
		versions, ok = p.Dev[name]
	}
	return versions, ok
}

// Value is what stands below these keys, as encoding/json decodes it; nil: nothing.
func (p *Package) Value(keys ...string) any {
	var value any = p.whole
	for _, key := range keys {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// String is the string below these keys; "" where there is none.
func (p *Package) String(keys ...string) string {
	text, _ := p.Value(keys...).(string)
	return text
}

// Strings are the strings of the object below these keys; never nil.
func (p *Package) Strings(keys ...string) map[string]string {
	found := map[string]string{}
	object, _ := p.Value(keys...).(map[string]any)
	for key, value := range object {
		if text, ok := value.(string); ok {
			found[key] = text
		}
	}
	return found
}

// ScriptNames are the names of the scripts in the order of the file.
func (p *Package) ScriptNames() []string {
	names := slices.Sorted(maps.Keys(p.Scripts))
	lines := map[string]int{}
	for _, name := range names {
		lines[name] = p.offset("scripts", name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return lines[a] - lines[b] })
	return names
}

// Line is where the last of these keys stands, counted from 1; 0: nowhere.
func (p *Package) Line(keys ...string) int {
	at := p.offset(keys...)
	if at == 0 {
		return 0
	}
	return 1 + bytes.Count(p.Text[:at], []byte("\n"))
}

// offset is the end of the last of these keys in Text; 0: it is not there.
func (p *Package) offset(keys ...string) int {
	decoder := json.NewDecoder(bytes.NewReader(p.Text))
	for i, key := range keys {
		if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
			return 0
		}
		found := false
		for !found && decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return 0
			}
			if found = name == key; found {
				break
			}
			var skipped json.RawMessage
			if decoder.Decode(&skipped) != nil {
				return 0
			}
		}
		if !found {
			return 0
		}
		if i == len(keys)-1 {
			return int(decoder.InputOffset())
		}
	}
	return 0
}

// patterns are the folders of a list of workspaces: ["apps/*"] or, as yarn
// has it, {"packages": ["apps/*"]}.
func patterns(value any) []string {
	if object, ok := value.(map[string]any); ok {
		value = object["packages"]
	}
	list, _ := value.([]any)
	var found []string
	for _, one := range list {
		if text, ok := one.(string); ok && strings.TrimSpace(text) != "" {
			found = append(found, text)
		}
	}
	return found
}
