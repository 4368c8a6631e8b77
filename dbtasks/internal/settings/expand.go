package settings

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// found is a variable as a loader gives it to the app.
type found struct {
	value string
	file  *envFile
	line  int
}

// loader makes the variables of a set of files, the one that wins first, as
// one of the app's tools does; env is what the process has already.
type loader func(files []*envFile, env map[string]string) map[string]found

// maxExpansions is how many references are followed for one variable: enough
// for any real file, few enough for one that multiplies them or goes in a
// circle, which the tools themselves follow for ever.
const maxExpansions = 1000

// maxExpanded is the length in bytes at which an expansion that grows is given up.
const maxExpanded = 1 << 16

// ordered are variables in the order in which a JavaScript object keeps them:
// of their first assignment.
type ordered struct {
	names  []string
	values map[string]found
}

func (o *ordered) set(name string, f found) {
	if o.values == nil {
		o.values = map[string]found{}
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = f
}

func (o *ordered) add(file *envFile) {
	for _, a := range file.list {
		o.set(a.name, found{a.value, file, a.line})
	}
}

// loadDotenv is dotenv alone, and Node's --env-file: nothing is expanded.
func loadDotenv(files []*envFile, env map[string]string) map[string]found {
	all := map[string]found{}
	for _, file := range files {
		var one ordered
		one.add(file)
		for name, f := range one.values {
			_, in := all[name]
			if _, set := env[name]; !set && !in {
				all[name] = f
			}
		}
	}
	return all
}

// loadVite is Vite's loadEnv: all files together, then its own dotenv-expand,
// which finds references in the environment first, and below as above.
func loadVite(files []*envFile, env map[string]string) map[string]found {
	return merged(files, env, expansion{below: true})
}

// loadExpand is npm's dotenv-expand 11 and 12 as dotenv-cli has it: what stands
// further down is not set yet.
func loadExpand(files []*envFile, env map[string]string) map[string]found {
	return merged(files, env, expansion{})
}

// expansion is what differs between the uses of dotenv-expand.
type expansion struct {
	below     bool // references find what stands further down
	keepUnset bool // a reference to what is set nowhere stays as it is written
}

// loadPlain is for a project whose loader can't be told: as Vite's, but a
// reference to what is set nowhere stays as it was written. dotenv alone does
// the same to all, and it keeps a $ in a password.
func loadPlain(files []*envFile, env map[string]string) map[string]found {
	return merged(files, env, expansion{below: true, keepUnset: true})
}

func merged(files []*envFile, env map[string]string, e expansion) map[string]found {
	var all ordered
	done := map[string]bool{}
	for i := len(files) - 1; i >= 0; i-- {
		all.add(files[i])
	}
	for _, name := range all.names {
		f := all.values[name]
		if set := env[name]; set != "" && set != f.value {
			f.value = set
		} else {
			f.value = expandBraces(f.value, env, func(key string) (string, bool) {
				f, ok := all.values[key]
				if !e.below && !done[key] {
					return "", false
				}
				return f.value, ok
			}, e.keepUnset)
		}
		f.value = strings.ReplaceAll(f.value, `\$`, "$")
		all.values[name], done[name] = f, true
	}
	for name := range env {
		delete(all.values, name)
	}
	return all.values
}

// expandBraces is dotenv-expand 11 and 12: the first reference is replaced, and
// the text is looked at again from its start. ${A:-b} and ${A-b} are b where A
// is empty, ${A:+b} is b where it is not.
func expandBraces(text string, env map[string]string, inFile func(string) (string, bool), keepUnset bool) string {
	seen := map[string]bool{}
	from := 0
	for range maxExpansions {
		start, end, expression := nextReference(text, from)
		if start < 0 || len(text) > maxExpanded {
			return text
		}
		seen[text] = true
		key, operator, other := splitReference(expression)
		value, set := env[key]
		if !set {
			value, set = inFile(key)
		}
		instead := other
		switch {
		case operator == ":+" || operator == "+":
			if value == "" {
				instead = ""
			}
		case value != "" && !seen[value]:
			instead = value
		case keepUnset && !set && operator == "":
			from = end
			continue
		}
		text = replaceFirst(text, text[start:end], instead)
		if value, set := inFile(key); set && text == value {
			return text
		}
		from = 0
	}
	return text
}

// nextReference is the first ${…} or $NAME from a place on that no backslash
// stands before.
func nextReference(text string, from int) (start, end int, expression string) {
	for at := from; at < len(text); at++ {
		if text[at] != '$' || at > 0 && text[at-1] == '\\' {
			continue
		}
		if m := braced().FindStringSubmatch(text[at:]); m != nil {
			return at, at + len(m[0]), m[1] + m[2]
		}
	}
	return -1, -1, ""
}

var (
	braced   = lazyregexp.New(`^(?:\$\{([^{}]+)\}|\$([A-Za-z_][A-Za-z0-9_]*))`)
	operator = lazyregexp.New(`:\+|\+|:-|-`)
)

// splitReference is NAME, an operator and what follows it.
func splitReference(expression string) (key, op, other string) {
	op = operator().FindString(expression)
	if op == "" {
		return expression, "", ""
	}
	key, other, _ = strings.Cut(expression, op)
	return key, op, other
}

// replaceFirst is JavaScript's replace with two strings: $$, $&, $` and $' in
// the second one have a meaning.
func replaceFirst(text, old, instead string) string {
	before, after, ok := strings.Cut(text, old)
	if !ok {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(instead); i++ {
		if instead[i] != '$' || i+1 == len(instead) {
			b.WriteByte(instead[i])
			continue
		}
		switch i++; instead[i] {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(old)
		case '`':
			b.WriteString(before)
		case '\'':
			b.WriteString(after)
		default:
			b.WriteByte('$')
			i--
		}
	}
	return before + b.String() + after
}
