package settings

import (
	"maps"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// c12 takes the character before a reference with it, to see a backslash.
var c12Reference = lazyregexp.New(`(.?)\$\{?([\w:]+)?\}?`)

// loadNuxt is c12's (Nuxt): dotenv's grammar, and an expansion of its own that
// knows $NAME and ${NAME} alone. What is set nowhere stays as it is written.
func loadNuxt(files []*envFile, env map[string]string) map[string]found {
	all := loadDotenv(files, env)
	target := maps.Clone(env)
	if target == nil {
		target = map[string]string{}
	}
	var names []string
	for _, file := range files {
		var one ordered
		one.add(file)
		for _, name := range one.names {
			if f, ok := all[name]; ok && !slices.Contains(names, name) {
				target[name] = f.value
				names = append(names, name)
			}
		}
	}
	left := maxExpansions
	for _, name := range names {
		f := all[name]
		f.value = interpolated(target[name], target, nil, &left)
		target[name], all[name] = f.value, f
	}
	return all
}

func interpolated(value string, target map[string]string, parents []string, left *int) string {
	result := value
	for _, m := range c12Reference().FindAllStringSubmatch(value, -1) {
		whole, before, key := m[0], m[1], m[2]
		if before == `\` {
			result = replaceFirst(result, whole, "$"+whole[len(`\$`):])
			continue
		}
		if slices.Contains(parents, key) {
			result = ""
			continue
		}
		if *left--; *left < 0 || len(result) > maxExpanded {
			return result
		}
		if other, ok := target[key]; ok && key != "" {
			result = replaceFirst(result, whole[len(before):], interpolated(other, target, append(slices.Clone(parents), key), left))
		}
	}
	return result
}
