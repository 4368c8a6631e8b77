// Package devserver is the dev server of a JavaScript or other project: which
// command runs it, on which port, with which environment; recognising one that
// runs already; and running it so that nothing of it is left behind.
package devserver

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/near"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// The settings that name a command; the errors of this package refer to them.
const (
	DevSetting  = "DBTASKS_DEV_COMMAND"
	TestSetting = "DBTASKS_TEST_COMMAND"
)

// Command is a project's command, ready to run.
type Command struct {
	Line string   // for people: what is run, as they would type it; passwords of URLs masked
	Args []string // program and arguments; a configured line is sh -c LINE (Windows: cmd /C LINE)
	Dir  string   // the project's root
	Env  []string // the whole environment
	Tool string   // "vite", "next", "astro", … where the command ends in that dev server; else ""
	// PortNote says why the port is in PORT alone and the program may listen
	// elsewhere; "" where the tool's own flag carries it, and for tests.
	PortNote string
}

// credentials are those of a URL on a command line.
var credentials = lazyregexp.New(`(://[^:/@\s]*:)[^@\s]*@`)

// String is Line: Env and Args hold secrets that no output must show.
func (c Command) String() string { return c.Line }

// GoString keeps them out of %#v.
func (c Command) GoString() string { return "devserver.Command{Line: " + strconv.Quote(c.Line) + "}" }

// Dev is the command of the dev server: configured, run through the shell, or
// "<package manager> run dev"; in a Go project without package.json what goCommand
// says. The port is in PORT, and also in the tool's own
// flag where the command ends in a dev server that has one (jsproject's table of
// frameworks): Astro and React Router ignore PORT, Vite does too.
//
// environ is the environment of this process ("k=v"); what Mage and this tool
// added to it is taken away, PGAPPNAME is set where neither it nor the
// project's .env has one, and nothing else changes: the app loads its .env itself.
//
// The error is a *SettingError.
func Dev(root, configured string, port int, environ []string) (Command, error) {
	number := strconv.Itoa(port)
	c, script, m, err := newCommand(root, configured, DevSetting, "dev", environ)
	if err != nil {
		return Command{}, err
	}
	c.Env = set(c.Env, "PORT", number)
	var flags []string
	c.Tool, flags, c.PortNote = portArguments(script, port)
	if len(flags) == 0 {
		return c, nil
	}
	if m == "npm" {
		flags = append([]string{"--"}, flags...) // the others pass everything on
	}
	c.Line += " " + strings.Join(flags, " ")
	if m == "" {
		c.Args = shell(script + " " + strings.Join(flags, " "))
	} else {
		c.Args = append(c.Args, flags...)
	}
	return c, nil
}

// Test is the command of the project's tests: configured, run through the
// shell, "<package manager> run test:run", or "go test ./...". Environment and
// errors as Dev's.
func Test(root, configured string, environ []string) (Command, error) {
	c, _, _, err := newCommand(root, configured, TestSetting, "test:run", environ)
	return c, err
}

// newCommand gives also the shell line at whose end arguments would arrive,
// and the manager that passes them on; "" for a configured command.
func newCommand(root, configured, setting, script string, environ []string) (c Command, line, m string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return c, "", "", fmt.Errorf("find the project's folder: %w", err)
	}
	pkg, pkgErr := jsproject.Read(root)
	if pkgErr != nil {
		pkg = &jsproject.Package{}
	}
	name := pkg.Name
	if name == "" {
		name = filepath.Base(root)
	}
	c = Command{Dir: root, Env: environment(environ, root, name)}
	if configured = strings.TrimSpace(configured); configured != "" {
		if missing := missingScript(configured, pkg); missing != "" && pkgErr == nil {
			mended := mendedScript(configured, missing, script, pkg)
			return c, "", "", &SettingError{Setting: setting, Dir: root, Script: missing, Configured: configured, Mended: mended, Write: setting + "=" + strconv.Quote(mended), Err: ErrNoScript}
		}
		c.Line, c.Args = credentials().ReplaceAllString(configured, "$1***@"), shell(configured)
		return c, configured, "", nil
	}
	if errors.Is(pkgErr, jsproject.ErrNoPackage) && plainfile.Exists(filepath.Join(root, "go.mod")) {
		if c.Line = goCommand(root, script); c.Line != "" {
			c.Args = shell(c.Line)
			return c, c.Line, "", nil
		}
	}
	m = jsproject.Manager(root)
	line, ok := pkg.Scripts[script]
	if pkgErr == nil && !ok {
		pkgErr = ErrNoScript
	}
	if pkgErr != nil {
		return Command{}, "", "", &SettingError{Setting: setting, Dir: root, Script: script, Write: setting + "=" + strconv.Quote(proposal(root, script, m, pkg)), Err: pkgErr}
	}
	c.Args = []string{m, "run", script}
	c.Line = strings.Join(c.Args, " ")
	return c, line, m, nil
}

// goCommand is what runs a Go project, or its tests: the live-reload tool that
// has a file of settings there, else the Go command with the one main package;
// empty where there is none, or several.
func goCommand(root, script string) string {
	if script == "test:run" {
		return "go test ./..."
	}
	for _, tool := range []struct{ file, command string }{{".air.toml", "air"}, {"air.toml", "air -c air.toml"}, {"reflex.conf", "reflex -c reflex.conf"}} {
		if plainfile.Exists(filepath.Join(root, tool.file)) {
			return tool.command
		}
	}
	if hasMain(root) {
		return "go run ."
	}
	if commands, _ := filepath.Glob(filepath.Join(root, "cmd", "*", "main.go")); len(commands) == 1 {
		return "go run ./cmd/" + filepath.Base(filepath.Dir(commands[0]))
	}
	return ""
}

// hasMain tells whether a folder's own package is a program.
func hasMain(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, file := range files {
		text, err := plainfile.Read(file, plainfile.Settings)
		if err == nil && mainPackage().Match(text) && !strings.HasSuffix(file, "_test.go") && !strings.Contains(string(text), "//go:build mage") {
			return true
		}
	}
	return false
}

var mainPackage = lazyregexp.New(`(?m)^package main\b`)

// missingScript is the script that a configured command runs and package.json
// does not have; empty: there is none, or it can't be told.
func missingScript(configured string, pkg *jsproject.Package) string {
	commands, ok := simpleCommands(configured)
	if !ok {
		return ""
	}
	for _, words := range commands {
		if len(words) < 3 || !slices.Contains([]string{"npm", "pnpm", "yarn", "bun"}, words[0]) || words[1] != "run" || strings.HasPrefix(words[2], "-") {
			continue
		}
		if _, ok := pkg.Scripts[words[2]]; !ok && !slices.ContainsFunc(words, func(w string) bool {
			return strings.HasPrefix(w, "-w") || strings.HasPrefix(w, "--workspace") || strings.HasPrefix(w, "--prefix") || w == "-C" || strings.HasPrefix(w, "--if-present")
		}) {
			return words[2]
		}
	}
	return ""
}

// mendedScript is the command with the script that was meant: one of a like
// name, else the usual one.
func mendedScript(configured, missing, usual string, pkg *jsproject.Package) string {
	meant := near.Of(missing, slices.Sorted(maps.Keys(pkg.Scripts)))
	if meant == "" {
		meant = usual
	}
	return strings.Replace(configured, missing, meant, 1)
}

// portArguments tells the dev server at the end of a shell line and how to
// give it its port.
func portArguments(line string, port int) (tool string, flags []string, note string) {
	const listens = "; its port is given in PORT alone"
	commands, ok := simpleCommands(line)
	if !ok {
		return "", nil, "the command is too involved to add a port flag" + listens
	}
	last := tell(commands[len(commands)-1])
	flags = jsproject.PortFlags(last.Name, port)
	if _, dev := last.runsDev(); !dev || flags == nil {
		return "", nil, "the command does not end in a dev server whose flag for it is known" + listens
	}
	switch {
	case last.hasPortFlag():
		return last.Name, nil, "the command has a port flag of its own" + listens
	case last.Eats:
		return last.Name, nil, "npm exec would take a port flag for its own" + listens
	}
	return last.Name, flags, ""
}

// proposal is a command that this project is likely to have.
func proposal(root, script, m string, pkg *jsproject.Package) string {
	if plainfile.Exists(filepath.Join(root, "go.mod")) && len(pkg.Scripts) == 0 {
		return map[string]string{"dev": "go run .", "test:run": "go test ./..."}[script]
	}
	for _, other := range map[string][]string{"dev": {"start", "serve", "develop"}, "test:run": {"test"}}[script] {
		if _, ok := pkg.Scripts[other]; ok {
			return m + " run " + other
		}
	}
	return map[string]string{"dev": "npx vite dev", "test:run": "npx vitest run"}[script]
}

// shell runs a line as npm runs scripts.
func shell(line string) []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd", "/C", line}
	}
	return []string{"sh", "-c", line}
}
