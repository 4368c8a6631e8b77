package jsproject

import (
	"slices"
	"strconv"
	"strings"
)

// Reload is what a dev server does when a source file changes.
type Reload int

const (
	ReloadUnknown Reload = iota
	InProcess            // the module is evaluated again in the same process: a client made there leaks
	NewProcess           // the process, or its worker, is replaced: its connections go with it
	NoReload
)

// String is the word of the JSON output.
func (r Reload) String() string {
	return [...]string{"unknown", "in_process", "new_process", "none"}[r]
}

// Expansion is how a loader replaces references to variables in the values of
// .env files.
type Expansion int

const (
	NoExpansion   Expansion = iota // dotenv alone, Node's --env-file
	DotenvExpand                   // npm's dotenv-expand: Vite, Next.js
	C12Expansion                   // Nuxt's: ${NAME} and $NAME, no defaults
	BunExpansion                   // Bun's own
	UnknownLoader                  // the code decides: dotenv or dotenv-expand
)

// Framework is one row of the table: how a framework's dev server is told, run
// and configured.
type Framework struct {
	Name     string   // as its makers write it
	Packages []string // one of them among the dependencies tells it
	Runs     []string // the word of a dev script that tells it where several rows' packages are there
	Dev      []string // command lines of its dev server, without flags: "next dev"

	Port         int      // where it listens unless told; 0: the code says
	PortFlags    []string // flags that set the port, %d in its place; nil: none
	PortVariable string   // variable that sets the port; "": it ignores PORT. Where the code decides it is PORT by custom
	Reload       Reload

	// EnvFiles are the .env files of a mode ("development", "test"), from the one
	// that wins to the one that counts least, relative to the package's folder.
	EnvFiles   func(mode string) []string
	Expansion  Expansion
	ProcessEnv bool // process.env is filled from these files before the app's code runs

	// Client is where a module for the database client belongs, without
	// extension, first choice first: the first whose upper folder is there.
	Client []string
	// Alias of the folder of such modules in imports; "": a relative path.
	Alias string
}

// PortFlags are the flags that give a dev server its port, told by its program
// ("vite", "astro", "react-router"); nil where there is none, and the port is
// in PORT alone.
func PortFlags(program string, port int) []string {
	for _, f := range frameworks {
		for _, line := range f.Dev {
			if first, _, _ := strings.Cut(line, " "); first != program || f.PortFlags == nil {
				continue
			}
			flags := make([]string, len(f.PortFlags))
			for i, flag := range f.PortFlags {
				flags[i] = strings.ReplaceAll(flag, "%d", strconv.Itoa(port))
			}
			return flags
		}
	}
	return nil
}

// Framework tells the framework of the package: the row of a framework whose
// package it asks for; a bundler or a server library only where its dev script
// says so or where it is alone. ok is false where no row fits: the project is
// a plain one, and PlainNode's row fits it best.
func (t *Tree) Framework() (Framework, bool) { return t.Package.Framework() }

// Framework is Tree.Framework for one package.
func (p *Package) Framework() (f Framework, ok bool) {
	var found []Framework
	for _, f := range frameworks {
		if slices.ContainsFunc(f.Packages, func(name string) bool { _, ok := p.Depends(name); return ok }) {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return PlainNode, false
	}
	words := strings.Fields(p.devScript())
	for _, f := range found {
		if len(f.Runs) == 0 {
			continue
		}
		for _, word := range words {
			word = word[strings.LastIndexByte(word, '/')+1:]
			if slices.Contains(f.Runs, word) {
				return f.adapted(p), true
			}
		}
	}
	return found[0].adapted(p), true
}

// ViteReads tells whether Vite's loadEnv reads the .env files, whatever the
// framework is called.
func (f Framework) ViteReads() bool { return f.Expansion == DotenvExpand && f.Name != Next }

// adapted is the row with what differs between versions of the framework.
func (f Framework) adapted(p *Package) Framework {
	if f.Name == SvelteKit {
		if versions, _ := p.Depends("@sveltejs/kit"); MajorOf(versions) >= 3 {
			f.Alias = "#lib" // SvelteKit 3 has no $lib: it is an entry of "imports" in package.json
		}
	}
	return f
}

// devScripts are the names of the script that runs the dev server, the likeliest first.
var devScripts = []string{"dev", "start:dev", "develop", "serve", "start"}

// devScript is the script that runs the dev server: dev, else one that is
// called so often.
func (p *Package) devScript() string {
	for _, name := range devScripts {
		if text := p.Scripts[name]; text != "" {
			return text
		}
	}
	return ""
}

// viteFiles are Vite's (loadEnv): a file of the mode wins over .env.local.
func viteFiles(mode string) []string {
	return []string{".env." + mode + ".local", ".env." + mode, ".env.local", ".env"}
}

// nextFiles are those of Next.js (@next/env) and Bun: .env.local wins over the
// mode's own file, and is left out of tests.
func nextFiles(mode string) []string {
	if mode == "test" {
		return []string{".env.test.local", ".env.test", ".env"}
	}
	return []string{".env." + mode + ".local", ".env.local", ".env." + mode, ".env"}
}

// oneFile is what dotenv and c12 read: .env alone.
func oneFile(string) []string { return []string{".env"} }

// localFirst is what is taken where no framework says which.
func localFirst(string) []string { return []string{".env.local", ".env"} }

// redwoodFiles are those of @redwoodjs/cli-helpers: dotenv-defaults.
func redwoodFiles(mode string) []string {
	return []string{".env." + mode, ".env", ".env.defaults"}
}
