// Package cli reads a command line before Mage does, for what Mage would
// misread or answer with less: a word that is no target, a value that stands
// apart from its flag, a flag that a target does not have. It decides by one
// table of the targets, which is generated from their source.
package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/near"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Target is one target as Mage sees it.
type Target struct {
	Name     string // "db:cleanup"
	Synopsis string // one sentence
	Help     string // the whole of its documentation
	Flags    []Flag
}

// Flag is one optional argument of a target.
type Flag struct {
	Name string // "idle"
	Type string // "bool", "int", "string", "time.Duration"
	Help string
}

// Find is the target of a word of a command line, which may have the alias in
// front that an importer gave these targets ("pg:db:cleanup").
func Find(word string) (Target, bool) {
	word = strings.ToLower(word)
	for _, t := range Targets {
		if word == t.Name || strings.HasSuffix(word, ":"+t.Name) {
			return t, true
		}
	}
	return Target{}, false
}

// Alias is the name that an importer gave these targets, by the first of them
// that the arguments call: "pg" of "pg:db:cleanup"; empty: none.
func Alias(args []string) string {
	for _, word := range args {
		if t, ok := Find(word); ok {
			return strings.TrimSuffix(word[:len(word)-len(t.Name)], ":")
		}
	}
	return ""
}

// WithAlias is a target's name as it is called under an alias.
func WithAlias(alias, target string) string {
	if alias == "" {
		return target
	}
	return alias + ":" + target
}

func (t Target) flag(name string) (Flag, bool) {
	for _, f := range t.Flags {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Flag{}, false
}

// Command is what came of a command line.
type Command struct {
	Args []string // as Mage is to read them
	Own  string   // a word of this package's own that was asked for: "version", "completion", "man"
	Rest []string // the words after it
}

// Read goes over the arguments of a program. others lists the targets that the
// program has besides; it is called where a word is none of this table's. The
// error is a *runbook.Failure with exit code 2: nothing has run yet.
//
// "help db:cleanup" and "db:cleanup -h" are read as "-h db:cleanup", "--list" as
// "-l". All else stays as it is.
func Read(program string, args []string, others func() []string) (Command, error) {
	r := reader{program: program, others: others}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		var err error
		switch {
		case strings.HasPrefix(arg, "-") && r.target.Name == "" && !r.foreign:
			i, err = r.general(args, i)
		case strings.HasPrefix(arg, "-") && r.foreign:
			r.out = append(r.out, arg)
		case strings.HasPrefix(arg, "-"):
			err = r.option(arg)
		default:
			var own bool
			if own, err = r.word(args, i); own {
				return Command{Own: strings.ToLower(strings.TrimLeft(arg, "-")), Rest: args[i+1:]}, nil
			}
		}
		if err != nil {
			return Command{}, err
		}
		if r.own != "" {
			return Command{Own: r.own, Rest: args[i+1:]}, nil
		}
	}
	if r.help {
		r.out = append([]string{"-h"}, r.called)
	}
	return Command{Args: r.out}, nil
}

// reader is the state of Read.
type reader struct {
	program string
	others  func() []string
	out     []string
	target  Target // the last one named; zero: none so far
	called  string // the word that named it
	foreign bool   // the last target is none of the table's: what follows is its own affair
	help    bool   // -h stood after a target
	own     string
}

// general reads a flag before the first target, which is Mage's.
func (r *reader) general(args []string, i int) (int, error) {
	name, _, _ := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
	switch name {
	case "v", "h", "help":
		r.out = append(r.out, "-"+strings.TrimLeft(args[i], "-"))
	case "l", "list":
		r.out = append(r.out, "-l")
	case "version":
		r.own = "version"
	case "t":
		r.out = append(r.out, args[i])
		if !strings.Contains(args[i], "=") && i+1 < len(args) {
			i++
			r.out = append(r.out, args[i])
		}
	default:
		for _, word := range args[i+1:] {
			if _, ok := Find(word); ok {
				return i, r.wrong(fmt.Sprintf("%s stands before its target", args[i]), r.program+" "+word+" "+args[i])
			}
		}
		return i, r.wrong(args[i]+" is no flag of "+r.program, r.program+" -l lists the targets, "+r.program+" -h <target> explains one")
	}
	return i, nil
}

// option reads a flag of the target that was named last.
func (r *reader) option(arg string) error {
	name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	flag, known := r.target.flag(name)
	switch {
	case name == "h" || name == "help":
		r.help = true
		return nil
	case !known:
		return r.noSuchFlag(arg, name)
	case strings.HasPrefix(arg, "--"):
		return r.wrong(fmt.Sprintf("%s of %s has a dash too many", arg, r.called), r.program+" "+r.called+" "+arg[1:])
	case !hasValue && flag.Type != "bool":
		return r.wrong(fmt.Sprintf("-%s of %s needs a value", flag.Name, r.called), fmt.Sprintf("%s %s -%s=%s", r.program, r.called, flag.Name, example(flag)))
	case hasValue:
		if err := r.value(flag, value); err != nil {
			return err
		}
	}
	r.out = append(r.out, arg)
	return nil
}

// value refuses what Mage would read otherwise, or tell in Go's own words.
func (r *reader) value(flag Flag, value string) error {
	say := func(why, instead string) error {
		return r.wrong(fmt.Sprintf("-%s=%s of %s %s", flag.Name, value, r.called, why), fmt.Sprintf("%s %s -%s=%s", r.program, r.called, flag.Name, instead))
	}
	switch flag.Type {
	case "time.Duration":
		if _, err := time.ParseDuration(value); err == nil {
			return nil
		}
		if _, err := time.ParseDuration(value + "s"); err == nil {
			return say("has no unit", value+"m (or "+value+"s)")
		}
		return say("is no duration", example(flag))
	case "bool":
		if !slices.Contains([]string{"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"}, value) {
			return say("is neither true nor false", "true")
		}
	case "int":
		var n int
		if _, err := fmt.Sscanf(value+"\n", "%d\n", &n); err != nil {
			return say("is no whole number", example(flag))
		}
	}
	return nil
}

func example(f Flag) string {
	switch f.Type {
	case "time.Duration":
		return "5m"
	case "int":
		return "10"
	case "bool":
		return "true"
	}
	return "<" + strings.ToLower(f.Name) + ">"
}

func (r *reader) noSuchFlag(arg, name string) error {
	var names []string
	for _, f := range r.target.Flags {
		names = append(names, f.Name)
	}
	next := fmt.Sprintf("%s -h %s", r.program, r.called)
	if meant := near.Of(name, names); meant != "" {
		f, _ := r.target.flag(meant)
		next = r.program + " " + r.called + " -" + strings.ToLower(meant)
		if f.Type != "bool" {
			next += "=" + example(f)
		}
	}
	has := "it has none"
	if len(names) > 0 {
		for i := range names {
			names[i] = "-" + strings.ToLower(names[i])
		}
		has = "it has " + strings.Join(names, ", ")
	}
	return r.wrong(fmt.Sprintf("No flag of %s is called %s: %s", r.called, strings.SplitN(arg, "=", 2)[0], has), next)
}

// word reads what is no flag: a target, or a value that went astray. own is
// true where it is a word of this package's.
func (r *reader) word(args []string, i int) (own bool, err error) {
	word := args[i]
	if t, ok := Find(word); ok {
		r.target, r.called, r.foreign = t, word, false
		r.out = append(r.out, word)
		return false, nil
	}
	if r.foreign {
		r.out = append(r.out, word)
		return false, nil
	}
	if slices.ContainsFunc(r.others(), func(name string) bool { return strings.EqualFold(name, word) }) {
		r.foreign = true
		r.out = append(r.out, word)
		return false, nil
	}
	if r.target.Name != "" {
		return false, r.stray(args[i-1], word)
	}
	switch strings.ToLower(word) {
	case "version", "completion", "man":
		return true, nil
	case "help":
		if i+1 < len(args) {
			if _, ok := Find(args[i+1]); ok {
				r.out = append(r.out, "-h")
				return false, nil
			}
		}
		r.out = append(r.out, "-l")
		return false, nil
	}
	return false, r.unknown(args, i)
}

// stray refuses a word after a target that is no target: Mage would run the
// target without it, and fail afterwards.
func (r *reader) stray(before, word string) error {
	next := fmt.Sprintf("%s -h %s", r.program, r.called)
	if f, ok := r.target.flag(word); ok {
		next = r.program + " " + r.called + " -" + strings.ToLower(f.Name)
		if f.Type != "bool" {
			next += "=" + example(f)
		}
	} else if _, ok := r.target.flag(strings.TrimLeft(before, "-")); ok && strings.HasPrefix(before, "-") {
		next = fmt.Sprintf("%s %s %s=%s", r.program, r.called, before, word)
	} else if meant := r.named(nearestTarget(word)); meant != "" {
		next = r.program + " " + r.called + " " + meant
	}
	return r.wrong(fmt.Sprintf("%q after %s is neither a target nor a flag: flags are written -name or -name=value", word, r.called), next)
}

// unknown refuses a first word that is no target.
func (r *reader) unknown(args []string, i int) error {
	word := args[i]
	meant := nearestTarget(word)
	if i+1 < len(args) {
		if t, ok := Find(word + ":" + args[i+1]); ok {
			meant = t.Name
		}
	}
	if meant = r.named(meant); meant == "" {
		return r.wrong(fmt.Sprintf("No target is called %q", word), r.program+" -l lists the targets")
	}
	return r.wrong(fmt.Sprintf("No target is called %q: did you mean %s?", word, meant), r.program+" "+meant)
}

// named is a target's name as this program lists it, under its importer's alias
// where there is one.
func (r *reader) named(target string) string {
	if target == "" {
		return ""
	}
	for _, name := range r.others() {
		if strings.HasSuffix(strings.ToLower(name), ":"+target) {
			return strings.ToLower(name)
		}
	}
	return target
}

func (r *reader) wrong(what, next string) error {
	return &runbook.Failure{Exit: runbook.ExitSettings, Code: "usage", Message: strings.TrimSuffix(what, "?") + map[bool]string{true: "? Nothing was touched.", false: "; nothing was touched."}[strings.HasSuffix(what, "?")], Next: next}
}
