package settings

import (
	"maps"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// loadNext is @next/env 13 to 16: each file is expanded by itself, the one that
// wins first, with dotenv-expand 10. A reference to what only a later file sets
// is therefore empty.
func loadNext(files []*envFile, env map[string]string) map[string]found {
	process, all := maps.Clone(env), map[string]found{}
	if process == nil {
		process = map[string]string{}
	}
	for _, file := range files {
		var one ordered
		one.add(file)
		read := true
		for _, name := range one.names {
			f := one.values[name]
			if value, ok := process[name]; ok {
				f.value = value
			}
			if f.value, read = lastFirst(f.value, process, one.values); !read {
				break // Next.js logs an error and goes on without the file
			}
			f.value = strings.ReplaceAll(f.value, `\$`, "$")
			one.values[name] = f
		}
		if !read {
			continue
		}
		for name, f := range one.values {
			process[name] = f.value
			_, in := all[name]
			if _, set := env[name]; !set && !in {
				all[name] = f
			}
		}
	}
	return all
}

var lastReference = lazyregexp.New(`^\$\{?(\w+)(?::-([^}\\]*))?\}?`)

// lastFirst is dotenv-expand up to 10: the last reference is replaced, wherever
// its text stands first, and so on. ok is false where it goes in a circle, on
// which the original runs out of stack.
func lastFirst(text string, process map[string]string, parsed map[string]found) (value string, ok bool) {
	for range maxExpansions {
		at := len(text)
		for at--; at >= 0 && (text[at] != '$' || at > 0 && text[at-1] == '\\'); at-- {
		}
		if at < 0 {
			return text, true
		}
		m := lastReference().FindStringSubmatch(text[at:])
		if m == nil {
			return text, true
		}
		instead := process[m[1]]
		if instead == "" {
			instead = m[2]
		}
		if instead == "" {
			instead = parsed[m[1]].value
		}
		if text = replaceFirst(text, m[0], instead); len(text) > maxExpanded {
			return "", false
		}
	}
	return "", false
}
