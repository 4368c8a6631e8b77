package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// setting is one key of Vite's configuration.
type setting struct {
	key, text string
	needs     [][]string // the keys that make it complete
}

func (p Project) viteSettings(port int) []setting {
	packages := "'pg'"
	ignored := "'**/pgdata/**'"
	if p.Driver == Prisma {
		packages = "'@prisma/client'"
		if p.Major >= 7 {
			packages += ", '" + adapter + "', 'pg'"
		}
		if p.Client != prismaPackage {
			ignored = "'**/" + generatedFolder(p.Client) + "/**', " + ignored
		}
	}
	return []setting{
		{"server", fmt.Sprintf("server: { port: %d, watch: { ignored: [%s] } }", port, ignored), [][]string{{"server", "port"}, {"server", "watch"}}},
		{"optimizeDeps", "optimizeDeps: { exclude: [" + packages + "] }", [][]string{{"optimizeDeps", "exclude"}}},
		{"ssr", "ssr: { external: [" + packages + "] }", [][]string{{"ssr", "external"}}},
	}
}

// generatedFolder is the folder of the generated client: src/generated/prisma.
func generatedFolder(client string) string {
	return strings.TrimLeft(path.Clean(strings.TrimSuffix(client, "/client")), "./")
}

// viteSteps adds the settings to vite.config where it is certain what that
// changes: keys that the configuration's literal does not have. The rest is shown.
func (p Project) viteSteps(port int) ([]Step, error) {
	if p.Kind == Next {
		return nil, nil
	}
	const why = "the dev server's port, and the database's packages out of the bundle"
	settings := p.viteSettings(port)
	if p.Vitest && p.vitestConfig() == "" && p.clientHome() != "" {
		settings = append(settings, p.vitestSetting()) // Vitest reads Vite's file
	}
	file := p.first("vite.config.ts", "vite.config.js", "vite.config.mts", "vite.config.mjs", "vite.config.cts", "vite.config.cjs")
	if file == "" {
		return []Step{p.file("vite.config"+p.extension(), p.newConfig("vite", settings), why, "")}, nil
	}
	return p.configSteps(file, settings, why)
}

// newConfig is a whole configuration.
func (p Project) newConfig(from string, settings []setting) []byte {
	var members []string
	for _, s := range settings {
		members = append(members, p.indent()+s.text)
		if s.key == "test" {
			from = "vitest/config"
		}
	}
	return fmt.Appendf(nil, "import { defineConfig } from '%s';\n\nexport default defineConfig({\n%s\n});\n", from, strings.Join(members, ",\n"))
}

// configSteps adds the settings that a configuration lacks.
func (p Project) configSteps(file string, settings []setting, why string) ([]Step, error) {
	text, err := readFile(p.path(file))
	if err != nil {
		return nil, unreadable(file, err)
	}
	config := p.code.Config(".", strings.TrimSuffix(file, path.Ext(file)))
	var behind int // the opening brace of the settings
	var keys []string
	plain := false
	if config == nil {
		config = p.code.NoConfig(file)
	} else {
		behind, keys, plain = config.Literal()
	}
	var add, shown []string
	typed := false // the file needs Vitest's types
	for _, s := range settings {
		complete := !slices.ContainsFunc(s.needs, func(keys []string) bool { return !config.At(keys...).Found() })
		switch {
		case complete:
		case plain && !slices.Contains(keys, s.key):
			add = append(add, s.text)
			typed = typed || s.key == "test"
		default:
			shown = append(shown, s.text)
		}
	}
	var steps []Step
	if len(add) > 0 {
		bom := len(text) - len(withoutBOM(text))
		after := insertKeys(string(text), bom+behind-1, add, p.indent())
		if typed && strings.HasSuffix(file, "ts") && !strings.Contains(after, "vitest/config") {
			after = after[:bom] + "/// <reference types=\"vitest/config\" />" + lineEnd(after) + after[bom:]
		}
		steps = append(steps, merged(file, why, text, []byte(after)))
	}
	if len(shown) > 0 {
		where := "has these keys without what is needed in them; add"
		if !plain {
			where = "its configuration is no plain object; add to it"
		}
		steps = append(steps, Step{Path: file, Action: Differs, Why: where, Show: strings.Join(shown, ",\n") + "\n"})
	}
	if len(steps) == 0 {
		steps = append(steps, Step{Path: file, Action: Keep, Why: "has the settings"})
	}
	return steps, nil
}

// insertKeys adds members behind an opening brace, each on a line of its own,
// indented as the line that follows.
func insertKeys(text string, open int, members []string, unit string) string {
	end := lineEnd(text)
	rest := text[open+1:]
	line, below, multi := strings.Cut(rest, "\n")
	if !multi || strings.TrimSpace(line) != "" {
		return text[:open+1] + " " + strings.Join(members, ", ") + "," + text[open+1:]
	}
	indent := below[:len(below)-len(strings.TrimLeft(below, " \t"))]
	if indent == "" {
		indent = unit
	}
	var b strings.Builder
	b.WriteString(text[:open+1])
	for _, m := range members {
		b.WriteString(end + indent + m + ",")
	}
	b.WriteString(rest)
	return b.String()
}
