package devserver

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Scripts are a project's package scripts as far as dev servers go: which of
// them run one, and which are something else of the user's (studio, storybook,
// test:ui).
type Scripts struct {
	dev   map[string]bool
	lines map[string]bool // of the dev scripts, as they stand in package.json
	names map[string]bool
}

// ReadScripts reads those of the project whose root this is, of its workspaces
// too. configured is DBTASKS_DEV_COMMAND, "" where it is not set.
func ReadScripts(root, configured string) Scripts {
	s := Scripts{dev: map[string]bool{}, lines: map[string]bool{}, names: map[string]bool{}}
	packages := []*jsproject.Package{}
	for _, dir := range append([]string{root}, jsproject.Workspaces(root)...) {
		if p, err := jsproject.Read(dir); err == nil {
			packages = append(packages, p)
		}
	}
	for _, p := range packages {
		for name := range p.Scripts {
			s.names[name] = true
		}
	}
	for _, name := range scriptsIn(configured, s.names) {
		s.dev[name] = true
	}
	for _, names := range [][]string{{"dev"}, {"start:dev", "develop"}, {"serve", "start"}} {
		if len(s.dev) > 0 {
			break
		}
		for _, name := range names {
			if s.names[name] {
				s.dev[name] = true
			}
		}
	}
	if s.names["dev"] {
		s.dev["dev"] = true
	}
	for name := range s.names {
		if strings.HasPrefix(name, "dev:") && !besides().MatchString(name) {
			s.dev[name] = true
		}
	}
	for again := true; again; {
		again = false
		for _, p := range packages {
			for name, line := range p.Scripts {
				if !s.dev[name] {
					continue
				}
				for _, called := range scriptsIn(line, s.names) {
					if !s.dev[called] && !besides().MatchString(called) {
						s.dev[called], again = true, true
					}
				}
			}
		}
	}
	for _, p := range packages {
		for name, line := range p.Scripts {
			if s.dev[name] && len(strings.Fields(line)) > 0 {
				s.lines[strings.TrimSpace(line)] = true
			}
		}
	}
	return s
}

// besides are names of scripts that are no part of a dev server even where the
// dev script starts them: run for themselves they are the user's.
var besides = lazyregexp.New(`(?i)(?:^|[:_.-])(?:studio|storybook|tests?|e2e|lint|check|typecheck|build|stop|recover|verify|init|drill|format|mcp|cleanup|who|monitor|limits)(?:$|[:_.-])`)

// Dev tells whether a script runs a dev server, or is run by one that does.
func (s Scripts) Dev(name string) bool { return s.dev[name] || len(s.names) == 0 && name == "dev" }

// App tells whether a script may run the app in another way than the dev script
// does: what it started is looked at by itself.
func (s Scripts) App(name string) bool {
	first, _, _ := strings.Cut(name, ":")
	return !s.Dev(name) && !besides().MatchString(name) && slices.Contains([]string{"start", "serve", "develop", "watch"}, first)
}

// scriptsIn are the scripts that a shell line runs: behind "run" or the name of
// a package manager, behind run-p and its like, and as npm:NAME, for concurrently.
func scriptsIn(line string, names map[string]bool) (found []string) {
	add := func(pattern string) {
		for name := range names {
			if match, err := path.Match(pattern, strings.ReplaceAll(name, "/", "_")); name == pattern || err == nil && match {
				found = append(found, name)
			}
		}
	}
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n\"';&|()", r) })
	runner := false
	for i, word := range words {
		switch base := path.Base(word); {
		case strings.HasPrefix(word, "npm:"), strings.HasPrefix(word, "pnpm:"), strings.HasPrefix(word, "yarn:"), strings.HasPrefix(word, "bun:"):
			_, name, _ := strings.Cut(word, ":")
			add(name)
		case base == "run-p", base == "run-s", base == "npm-run-all", base == "npm-run-all2":
			runner = true
		case runner && !strings.HasPrefix(word, "-"):
			add(word)
		case i > 0 && slices.Contains([]string{"run", "run-script", "npm", "pnpm", "yarn", "bun", "turbo", "--run", "task"}, path.Base(words[i-1])):
			add(word)
			runner = false
		}
	}
	return found
}

// RunsScript tells the package script that a process was told to run, where it
// is a package manager (or "node --run"), and the folder that it was told to
// run it in; "" where that is its own.
func RunsScript(args []string, name string) (script, dir string) {
	words := commandWords(args, name)
	if len(words) == 0 {
		return "", ""
	}
	if base := programBase(words[0]); isRuntime(base) {
		if i := slices.Index(words, "--run"); i >= 0 && i+1 < len(words) {
			return words[i+1], ""
		}
		for _, word := range words[1:] {
			if after, ok := strings.CutPrefix(word, "--run="); ok {
				return after, ""
			}
		}
		if base == "deno" && len(words) > 2 && words[1] == "task" {
			return subcommand(words[2:], []string{"--cwd", "--config", "-c"}), ""
		}
	}
	p := tell(words)
	switch p.Name {
	case "npm", "pnpm", "yarn", "bun":
	default:
		return "", ""
	}
	for i, word := range p.Args[:max(0, len(p.Args)-1)] {
		if slices.Contains([]string{"--prefix", "-C", "--dir", "--cwd"}, word) {
			dir = p.Args[i+1]
		}
	}
	rest := afterFlags(p.Args, managerValueFlags...)
	explicit := len(rest) > 0 && (rest[0] == "run" || rest[0] == "run-script")
	if explicit {
		rest = afterFlags(rest[1:], managerValueFlags...)
	}
	switch {
	case len(rest) == 0, p.Name == "bun" && isPath(rest[0]):
		return "", dir
	case explicit, p.Name != "npm" && !slices.Contains([]string{"exec", "x", "dlx", "install", "i", "add", "remove", "up", "update", "create", "init", "test", "workspace", "workspaces"}, rest[0]):
		return rest[0], dir
	case rest[0] == "start", rest[0] == "test":
		return rest[0], dir
	}
	return "", dir
}

// RunsLine tells whether a process is the shell of one of the dev scripts, which
// a package manager that ended may have left behind: sh -c with the script's line.
func (s Scripts) RunsLine(args []string) bool {
	if len(args) == 0 {
		return false
	}
	line, ok := shellLine(args)
	if !ok {
		return false
	}
	line = strings.TrimSpace(line)
	for script := range s.lines {
		if line == script || strings.HasPrefix(line, script+" ") {
			return true
		}
	}
	return false
}

// Interactive tells a shell that a person types into, not one that runs a line
// or a file.
func Interactive(args []string) bool {
	if !isShell(args) {
		return strings.HasPrefix(strings.Join(args, " "), "-") // a login shell: "-bash"
	}
	return !slices.ContainsFunc(args[1:], func(a string) bool {
		return !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+") || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c")
	})
}

// Source is where the code that a process runs comes from.
type Source struct {
	File    string // the script, or the program itself where it is no interpreter, absolute
	Package string // of node_modules that it lies in; "" where it lies in none
	Inline  bool   // an interpreter without a file: its code stands on the command line
}

// interpreters run a file that is named on their command line.
var interpreters = lazyregexp.New(`^(?:node|nodejs|bun|deno|python[0-9.]*|ruby[0-9.]*|php[0-9.]*|perl|java|tsx|ts-node)$`)

// SourceOf tells where a process's code comes from. exe and dir are the
// program's file and the working directory, either may be "".
func SourceOf(args []string, exe, dir string) Source {
	exe = strings.TrimSuffix(exe, " (deleted)")
	if len(args) == 1 { // a title: pm2 gives its processes "node /srv/shop/server.js"
		args = strings.Fields(args[0])
	}
	base := programBase(exe)
	if exe == "" && len(args) > 0 {
		base = programBase(args[0])
	}
	if !interpreters().MatchString(base) {
		return Source{File: exe, Package: packageIn(exe)}
	}
	if len(args) <= 1 || !interpreters().MatchString(programBase(args[0])) {
		return Source{} // what it runs is hidden behind the title, or typed
	}
	words := afterFlags(args[1:], runtimeValueFlags...)
	flags := args[1 : len(args)-len(words)]
	if (base == "bun" || base == "deno") && len(words) > 0 && slices.Contains([]string{"run", "serve", "task"}, words[0]) {
		if words[0] == "task" {
			return Source{}
		}
		words = afterFlags(words[1:], runtimeValueFlags...)
	}
	python, php := strings.HasPrefix(base, "python"), base == "php"
	if slices.ContainsFunc(flags, func(f string) bool {
		return !python && isEvalFlag(f) || python && (f == "-m" || f == "-c") || php && f == "-S"
	}) || len(words) == 0 {
		return Source{Inline: true}
	}
	file := words[0]
	if after, ok := strings.CutPrefix(file, "file://"); ok {
		file = after
	}
	if !filepath.IsAbs(file) {
		if dir == "" {
			return Source{}
		}
		file = filepath.Join(dir, file)
	}
	return Source{File: filepath.Clean(file), Package: packageIn(file)}
}

// packageIn is the package below the last node_modules of a path: "vite",
// "@nestjs/cli"; of a link in .bin its name.
func packageIn(file string) string {
	file = strings.ReplaceAll(file, `\`, "/")
	i := strings.LastIndex(file, "node_modules/")
	if i < 0 {
		return ""
	}
	parts := strings.Split(file[i+len("node_modules/"):], "/")
	switch {
	case parts[0] == ".bin" && len(parts) > 1:
		return parts[1]
	case strings.HasPrefix(parts[0], "@") && len(parts) > 1:
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// goBuild is where "go run" puts the program that it runs.
var goBuild = lazyregexp.New(`/go-build[0-9]+/b[0-9]+/exe/[^/]+$`)

// GoRun tells a program that "go run" built: code of the folder it runs in.
func (s Source) GoRun() bool { return goBuild().MatchString(filepath.ToSlash(s.File)) }
