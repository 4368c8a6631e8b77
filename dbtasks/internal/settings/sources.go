package settings

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// sources are the places that settings come from: the real environment, then
// groups of files, each read as one tool reads it, the one that wins first.
type sources struct {
	env       map[string]string
	groups    []group
	framework jsproject.Framework
}

// group is a set of files that one loader reads.
type group struct {
	files     []*envFile // the one that wins first
	variables map[string]found
	own       bool // read for this tool's own settings alone: the app does not read them
}

// readSources reads the files of the project. The error is a
// *plainfile.TrustError.
func readSources(p place, environ []string, mode string) (*sources, error) {
	s := &sources{env: environment(environ), framework: jsproject.PlainNode}
	if p.tree != nil {
		s.framework, _ = p.tree.Framework()
	}
	mode, given := p.script(mode)
	r := reading{sources: s, env: maps.Clone(s.env), read: map[string]bool{}}
	parse, load := s.tools(p.tree)
	// What the dev script loads itself is in the environment before the
	// framework looks at its own files.
	for _, file := range given {
		if err := r.group(filepath.Dir(file), []string{filepath.Base(file)}, dotenvGrammar, loadExpand, false); err != nil {
			return nil, err
		}
	}
	names := s.framework.EnvFiles(mode)
	dir := p.dir
	if s.framework.ViteReads() {
		dir = p.envDir()
	}
	if err := r.group(dir, names, parse, load, false); err != nil {
		return nil, err
	}
	if p.top != p.dir {
		if err := r.group(p.top, names, parse, load, false); err != nil {
			return nil, err
		}
	}
	// Prisma's client up to 6 reads the file beside its schema.
	if p.tree != nil && p.tree.PrismaReadsEnv() {
		if err := r.group(filepath.Join(p.dir, "prisma"), []string{".env"}, dotenvGrammar, loadVite, false); err != nil {
			return nil, err
		}
	}
	return s, r.group(p.dir, []string{".env.local", ".env"}, dotenvGrammar, loadPlain, true)
}

// environment is os.Environ as a map.
func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

// reading is a set of sources in the making.
type reading struct {
	*sources
	env  map[string]string
	read map[string]bool // the files that were, by path
}

func (r *reading) group(dir string, names []string, parse grammar, load loader, own bool) error {
	g := group{own: own}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if r.read[path] {
			continue
		}
		r.read[path] = true
		file, err := readEnv(path, parse)
		if err != nil {
			return err
		}
		g.files = append(g.files, file)
	}
	g.variables = load(g.files, r.env)
	for name, f := range g.variables {
		r.env[name] = f.value
	}
	r.groups = append(r.groups, g)
	return nil
}

// tools are the parser and the expansion of the project's framework.
func (s *sources) tools(tree *jsproject.Tree) (grammar, loader) {
	parse := dotenvGrammar
	if s.framework.ViteReads() && tree.Major("vite") >= 8 {
		parse = nodeGrammar
	}
	switch s.framework.Expansion {
	case jsproject.DotenvExpand:
		if s.framework.Name == jsproject.Next {
			return parse, loadNext
		}
		return parse, loadVite
	case jsproject.C12Expansion:
		return parse, loadNuxt
	case jsproject.NoExpansion:
		return parse, loadDotenv
	}
	return parse, loadPlain
}

// lookup finds a variable. An empty value of the environment hides the files
// from the app, but not this tool's own settings from it. The origin's Variable
// is empty when it is not set.
func (s *sources) lookup(name string) (string, Origin) {
	own := strings.HasPrefix(name, "DBTASKS_")
	if value, set := s.env[name]; value != "" || set && !own {
		if value == "" {
			return "", Origin{}
		}
		return value, Origin{Variable: name}
	}
	for _, g := range s.groups {
		if f, ok := g.variables[name]; ok && f.value != "" && (own || !g.own) {
			return f.value, Origin{Variable: name, File: f.file.path, Line: f.line}
		}
	}
	return "", Origin{}
}

// files are all that were read, the one that wins first, without those that
// the app does not read.
func (s *sources) files() []*envFile {
	var list []*envFile
	for _, g := range s.groups {
		if !g.own {
			list = append(list, g.files...)
		}
	}
	return list
}

// setElsewhere are the files that set a variable, too, but do not win.
func (s *sources) setElsewhere(name string, wins Origin) []Origin {
	var list []Origin
	for _, f := range s.files() {
		for _, a := range slices.Backward(f.list) {
			if a.name != name || a.value == "" {
				continue
			}
			if f.path != wins.File {
				list = append(list, Origin{Variable: name, File: f.path, Line: a.line})
			}
			break
		}
	}
	return list
}

// emptyAbove is an assignment of nothing that wins over one of something.
func (s *sources) emptyAbove(name string) (hides, hidden Origin) {
	for _, g := range s.groups {
		if f, ok := g.variables[name]; ok && f.value == "" && !g.own {
			hides = Origin{Variable: name, File: f.file.path, Line: f.line}
			if list := s.setElsewhere(name, hides); len(list) > 0 {
				return hides, list[0]
			}
		}
	}
	return Origin{}, Origin{}
}

// problem is that of the first file that can't be read, of those that could
// have set a variable which origin sets; nil: there is none.
func (s *sources) problem(origin Origin) *SettingError {
	if origin.Variable != "" && origin.File == "" {
		return nil // the environment wins over all files
	}
	for _, f := range s.files() {
		if f.path == origin.File {
			return nil
		}
		if f.problem != nil {
			return f.problem
		}
	}
	return nil
}

// exists tells whether a file of a folder is there.
func exists(dir, name string) bool { return plainfile.Exists(filepath.Join(dir, name)) }
