package settings

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/near"
)

// CheckCommand refuses a setting that is a command and that no shell can read.
// Its error is a *SettingError.
func (c *Config) CheckCommand(name string) error {
	value, origin := c.lookup(name)
	problem, mended := ShellProblem(value)
	if problem == "" {
		return nil
	}
	write := ""
	if mended != "" {
		write = name + "=" + quoted(mended)
	}
	return origin.wrong("is no command that a shell can read: "+problem, write)
}

// Wrong is the error of a setting's value, with where that stands and the line
// to write instead.
func (c *Config) Wrong(name, problem, value string) error {
	return c.Origin(name).wrong(problem, name+"="+quoted(value))
}

// ShellProblem is why no shell can read a line to its end, and the line with its
// open quote closed where that mends it; both are empty for one that can be read. On
// Windows, whose shell is another, every line can.
func ShellProblem(line string) (problem, mended string) {
	if runtime.GOOS == "windows" {
		return "", ""
	}
	parse := func(line string) error {
		_, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(line), "")
		if err != nil { // the system's sh may be bash
			_, err = syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
		}
		return err
	}
	err := parse(line)
	if err == nil || !syntax.IsIncomplete(err) {
		return "", "" // the shell itself may know more than these two grammars
	}
	for _, end := range []string{`"`, `'`, "`", ")", `)"`} {
		if parse(line+end) == nil {
			mended = line + end
			break
		}
	}
	problem = err.Error()
	var p syntax.ParseError
	if errors.As(err, &p) {
		problem = fmt.Sprintf("%s, at its character %d", p.Text, p.Pos.Col())
	}
	return problem, mended
}

// quoted writes a value so that dotenv reads it as it is.
func quoted(value string) string {
	for _, q := range []string{`"`, `'`, "`"} {
		if !strings.Contains(value, q) && (q != `"` || !strings.ContainsAny(value, `\$`)) {
			return q + value + q
		}
	}
	return value
}

// known are the settings of this tool that stand in files and environments.
var known = []string{DatabaseURL, DirectURL, AdminURL, DevCommand, TestCommand, PortsVar, WarnVar, RestartCommand, ReadOnlyVar, PGBinVar}

// prefix is that of this tool's own settings.
const prefix = "DBTASKS_"

// Misspelt are the settings whose names are nearly ones of this tool's, with
// where they stand and the name that was meant.
func (c *Config) Misspelt() (notes []string) {
	if c.sources == nil {
		return nil
	}
	s := c.sources()
	names := map[string]bool{}
	for name := range s.env {
		names[name] = true
	}
	for _, g := range s.groups {
		for name := range g.variables {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasPrefix(strings.ToUpper(name), prefix) || slices.Contains(known, name) {
			continue
		}
		var ours []string
		for _, k := range known {
			if own, ok := strings.CutPrefix(k, prefix); ok {
				ours = append(ours, own)
			}
		}
		if meant := near.Of(strings.ToUpper(name)[len(prefix):], ours); meant != "" {
			notes = append(notes, fmt.Sprintf("%s is no setting: did you mean %s%s?", c.Origin(name), prefix, meant))
		}
	}
	return notes
}
