package checklist

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
	"mvdan.cc/sh/v3/syntax"
)

// runbookScripts are the npm scripts that a project should have, and what they run.
var runbookScripts = []struct{ name, line string }{
	{"db:cleanup", "scripts/cleanup-db-connections.sh"},
	{"db:monitor", "scripts/monitor-connections.sh"},
	{"db:test", "mage db:test"},
	{"dev:recover", "scripts/recover.sh"},
}

// npmScripts: npm scripts use the runbook, and nobody kills by port or name.
func (c *check) npmScripts(i *Item) {
	if c.packages.at("") == nil {
		i.unsure("package.json", 0, "there is no package.json here, or it can't be read", "")
		return
	}
	const whyKill = "It ends whoever is connected or has that name: a browser, another project's server, this one's editor."
	for _, s := range c.scripts {
		if s.file == nil {
			i.unsure("package.json", s.line, fmt.Sprintf("the script %s can't be parsed", s.name), "It could end what is not ours.")
		}
		if problem := kills(s.file); problem != "" {
			i.wrong("package.json", s.line, fmt.Sprintf("the script %s runs %s", s.name, problem), whyKill, fmt.Sprintf("%q: \"mage dev:stop\"", s.name))
		}
	}
	for _, file := range c.files {
		if ext := path.Ext(file); ext != ".sh" && ext != ".bash" {
			continue
		}
		content, _ := plainfile.Read(filepath.Join(c.root, filepath.FromSlash(file)), maxShell)
		parsed := parseShell(string(content))
		if problem := kills(parsed); problem != "" {
			i.wrong(file, killLine(parsed), fmt.Sprintf("it runs %s", problem), whyKill, "mage dev:stop")
		}
	}
	i.Summary = "the scripts use the runbook, and none kills by port or name"
	if c.home != nil {
		c.missingScripts(i)
	} else if len(i.Findings) == 0 {
		c.noClient(i)
	}
}

func (c *check) missingScripts(i *Item) {
	var lines, missing []string
	line := 0
	for _, want := range runbookScripts {
		at := slices.IndexFunc(c.scripts, func(s npmScript) bool { return s.name == want.name })
		if at >= 0 && usesRunbook(c.scripts[at].file, want.name) {
			continue
		}
		if at >= 0 {
			line = c.scripts[at].line
		}
		missing = append(missing, want.name)
		lines = append(lines, fmt.Sprintf("%q: %q", want.name, want.line))
	}
	if line == 0 {
		line = c.packages.at("").Line("scripts")
	}
	if len(missing) > 0 {
		i.wrong("package.json", line, "no script runs the runbook's "+strings.Join(missing, ", "),
			"In the emergency the command has to be there, and be the one that harms nobody.", strings.Join(lines, ", "))
	}
}

// usesRunbook tells whether a script runs a wrapper, mage or the compiled runbook.
func usesRunbook(file *syntax.File, target string) bool {
	for _, words := range commands(file) {
		for _, word := range words {
			base := strings.TrimSuffix(path.Base(word), ".exe")
			if slices.Contains([]string{"cleanup-db-connections.sh", "monitor-connections.sh", "recover.sh", "run-target.sh", "mage", "dbtasks"}, base) ||
				strings.HasSuffix(base, ".sh") && slices.Contains(words, target) {
				return true
			}
		}
	}
	return false
}

// kills names what in a shell file ends processes by port or by name; empty: nothing.
func kills(file *syntax.File) string {
	all := commands(file)
	byPort := slices.ContainsFunc(all, func(words []string) bool {
		name := path.Base(words[0])
		return name == "lsof" || name == "fuser" || name == "ss" || name == "netstat" || name == "pgrep" || name == "pidof" || name == "jps"
	})
	for _, words := range all {
		words = withoutPrefix(words)
		if len(words) == 0 {
			continue
		}
		rest := strings.Join(words[1:], " ")
		switch path.Base(words[0]) {
		case "pkill", "killall", "taskkill", "skill":
			if named(rest) {
				return strings.Join(words, " ")
			}
		case "fuser":
			if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") && strings.Contains(w, "k") }) {
				return strings.Join(words, " ")
			}
		case "kill-port", "fkill", "kill-port-process":
			return strings.Join(words, " ")
		case "kill":
			if byPort {
				return strings.Join(strings.Fields(strings.Join(words, " ")), " ") + " on what it finds by port or name"
			}
		}
	}
	return ""
}

// withoutPrefix takes away what runs another command: sudo, npx, xargs.
func withoutPrefix(words []string) []string {
	for len(words) > 1 && slices.Contains([]string{"sudo", "npx", "pnpx", "bunx", "exec", "command", "xargs", "env", "cross-env", "time", "nohup", "dlx", "pnpm", "yarn", "bun", "npm", "x"}, path.Base(words[0])) {
		words = words[1:]
		for len(words) > 1 && strings.HasPrefix(words[0], "-") {
			words = words[1:]
		}
	}
	return words
}

// named tells whether a pattern is the name of what dev servers run as.
func named(pattern string) bool {
	pattern = strings.ToLower(pattern)
	return slices.ContainsFunc([]string{"node", "vite", "next", "npm", "pnpm", "yarn", "bun", "deno", "tsx", "postgres", "svelte", "nuxt"}, func(s string) bool { return strings.Contains(pattern, s) })
}

func killLine(file *syntax.File) int {
	line := 0
	syntax.Walk(file, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && line == 0 && len(call.Args) > 0 {
			for _, w := range call.Args {
				if slices.Contains([]string{"kill", "pkill", "killall", "fuser", "kill-port", "fkill", "taskkill"}, path.Base(literalWord(w))) {
					line = int(call.Pos().Line())
				}
			}
		}
		return true
	})
	return line
}
