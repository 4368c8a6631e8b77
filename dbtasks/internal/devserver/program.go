package devserver

import (
	"path"
	"slices"
	"strings"
)

// program is what a command line really runs: past assignments, wrappers
// (cross-env, dotenv --), runners (npx, pnpm exec) and the runtime with its
// flags.
type program struct {
	Name string   // "vite", "next", "npm", …; a name that no table knows otherwise
	Args []string // what follows it
	// Eats: a runner between takes flags at the end of the line for its own.
	Eats bool
}

// entries are the scripts that the tools' packages give to node, as in the
// packages' own "bin" fields, below node_modules/.
var entries = map[string]string{
	"vite/bin/vite.js":                             "vite",
	"next/dist/bin/next":                           "next",
	"nodemon/bin/nodemon.js":                       "nodemon",
	"ts-node-dev/lib/bin.js":                       "ts-node-dev",
	"tsx/dist/cli.mjs":                             "tsx",
	"@remix-run/dev/dist/cli.js":                   "remix",
	"@react-router/dev/bin.js":                     "react-router",
	"astro/astro.js":                               "astro",
	"astro/bin/astro.mjs":                          "astro",
	"nuxt/bin/nuxt.mjs":                            "nuxt",
	"nuxi/bin/nuxi.mjs":                            "nuxi",
	"@nuxt/cli/bin/nuxi.mjs":                       "nuxi",
	"@sveltejs/kit/svelte-kit.js":                  "svelte-kit",
	"webpack/bin/webpack.js":                       "webpack",
	"webpack-cli/bin/cli.js":                       "webpack",
	"webpack-dev-server/bin/webpack-dev-server.js": "webpack-dev-server",
	"react-scripts/bin/react-scripts.js":           "react-scripts",
	"@angular/cli/bin/ng.js":                       "ng",
	"@nestjs/cli/bin/nest.js":                      "nest",
	"cross-env/src/bin/cross-env.js":               "cross-env",
	"cross-env/dist/bin/cross-env.js":              "cross-env",
	"dotenv-cli/cli.js":                            "dotenv",
	"concurrently/dist/bin/concurrently.js":        "concurrently",
	"npm-run-all2/bin/npm-run-all/index.js":        "npm-run-all",
	"npm-run-all2/bin/run-p/index.js":              "run-p",
	"npm-run-all2/bin/run-s/index.js":              "run-s",
	"npm-run-all/bin/npm-run-all/index.js":         "npm-run-all",
	"npm-run-all/bin/run-p/index.js":               "run-p",
	"@redwoodjs/cli/dist/index.js":                 "rw",
	"blitz/bin/blitz":                              "blitz",
	"@strapi/strapi/bin/strapi.js":                 "strapi",
	"@medusajs/cli/cli.js":                         "medusa",
	"vite-node/vite-node.mjs":                      "vite-node",
	"vite-node/dist/cli.mjs":                       "vite-node",
	"turbo/bin/turbo":                              "turbo",
	"nx/bin/nx.js":                                 "nx",
	"nx/dist/bin/nx.js":                            "nx",
	"expo/bin/cli":                                 "expo",
	"@expo/cli/build/bin/cli":                      "expo",
	"netlify-cli/bin/run.js":                       "netlify",
	"vercel/dist/index.js":                         "vercel",
	"vercel/dist/vc.js":                            "vercel",
	"prisma/build/index.js":                        "prisma",
	"drizzle-kit/bin.cjs":                          "drizzle-kit",
	"storybook/dist/bin/dispatcher.js":             "storybook",
	"storybook/bin/index.cjs":                      "storybook",
	"@playwright/test/cli.js":                      "playwright",
	"playwright/cli.js":                            "playwright",
	"cypress/bin/cypress":                          "cypress",
	"vitest/vitest.mjs":                            "vitest",
	"jest/bin/jest.js":                             "jest",
	"npm/bin/npm-cli.js":                           "npm",
	"npm/bin/npx-cli.js":                           "npx",
	"pnpm/bin/pnpm.cjs":                            "pnpm",
	"yarn/bin/yarn.js":                             "yarn",
	"corepack/dist/npm.js":                         "npm",
	"corepack/dist/pnpm.js":                        "pnpm",
	"corepack/dist/yarn.js":                        "yarn",
}

// tell finds the program of one simple command or of one process.
func tell(words []string) program {
	p := program{}
	for len(words) > 0 {
		word := words[0]
		if isAssignment(word) {
			words = words[1:]
			continue
		}
		name, rest := toolName(word), words[1:]
		switch name {
		case "env", "cross-env":
			if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				words = rest
				continue
			}
		case "dotenv", "dotenvx":
			if i := slices.Index(rest, "--"); i >= 0 {
				words = rest[i+1:]
				continue
			}
		case "npx", "bunx", "pnpx":
			if inner := afterFlags(rest, "-p", "--package"); len(inner) > 0 {
				words = withoutVersion(inner)
				continue
			}
		case "npm", "pnpm", "yarn", "bun":
			if inner, eats := executed(name, rest); inner != nil {
				p.Eats = p.Eats || eats
				words = withoutVersion(inner)
				continue
			}
		}
		if isRuntime(name) {
			script := afterFlags(rest, runtimeValueFlags...)
			flags := rest[:len(rest)-len(script)]
			if len(script) > 0 && !(name == "bun" && !isPath(script[0])) && !slices.ContainsFunc(flags, isEvalFlag) {
				if slices.ContainsFunc(flags, isWatchFlag) && !slices.Contains(flags, "--test") {
					return program{Name: "node --watch", Args: script, Eats: p.Eats}
				}
				return program{Name: scriptTool(script[0]), Args: script[1:], Eats: p.Eats}
			}
		}
		p.Name, p.Args = name, rest
		return p
	}
	return p
}

// executed is the command behind "exec", "dlx" and "x" of a package manager,
// and behind a tool's bare name ("yarn vite"); nil: neither. eats: flags that
// follow would be the manager's ("npm exec vite --port" without "--").
func executed(manager string, rest []string) (inner []string, eats bool) {
	rest = afterFlags(rest, managerValueFlags...)
	if len(rest) == 0 {
		return nil, false
	}
	switch rest[0] {
	case "exec", "x", "dlx":
		if rest = rest[1:]; len(rest) > 0 && rest[0] == "--" {
			return rest[1:], false
		}
		rest = afterFlags(rest, "-p", "--package", "-c", "--call")
		i := slices.Index(rest, "--")
		if i == 0 {
			return rest[1:], false
		}
		return rest, manager == "npm" && i < 0
	}
	if manager == "npm" {
		return nil, false
	}
	if _, ok := devTools[toolName(rest[0])]; ok {
		return rest, false
	}
	return nil, false
}

// runtimeValueFlags are flags of node (and bun) whose value is a word of its own.
var runtimeValueFlags = []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file",
	"--preload", "--title", "--watch-path"}

// managerValueFlags are those of the package managers that may stand in front of the command.
var managerValueFlags = []string{"--prefix", "-w", "--workspace", "--filter", "-F", "-C", "--dir", "--cwd"}

// afterFlags skips flags, and the values of those that have one.
func afterFlags(words []string, valued ...string) []string {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") && words[0] != "--" {
		n := 1
		if slices.Contains(valued, words[0]) {
			n = 2
		}
		words = words[min(n, len(words)):]
	}
	return words
}

func isRuntime(name string) bool {
	return name == "node" || name == "nodejs" || name == "bun" || name == "deno"
}

func isWatchFlag(flag string) bool {
	return flag == "--watch" || strings.HasPrefix(flag, "--watch-path") || flag == "--hot"
}

func isEvalFlag(flag string) bool {
	return flag == "-e" || flag == "--eval" || flag == "-p" || flag == "--print" || flag == "-pe"
}

// isPath tells a file from a script's name, for bun: "bun server.ts", "bun run".
func isPath(word string) bool { return strings.ContainsAny(word, `/\.`) }

// isAssignment: NAME=value.
func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && !('0' <= name[0] && name[0] <= '9')
}

// withoutVersion makes "vite@latest" the name it stands for.
func withoutVersion(words []string) []string {
	if len(words) == 0 {
		return words
	}
	if at := strings.LastIndex(words[0], "@"); at > 0 && !strings.ContainsAny(words[0], `/\`) {
		return append([]string{words[0][:at]}, words[1:]...)
	}
	return words
}

// toolName is the tool that a program word stands for: by its entry script in
// a package, else by its name, where it lies in a folder of programs or is
// looked up in PATH. Other files are named with their whole path, which no
// table has: a file of the user's may be called vite.
func toolName(word string) string {
	given := word
	word = path.Clean(strings.ReplaceAll(word, `\`, "/"))
	if given != word && !strings.Contains(word, "/") {
		return given // ./vite is a file here
	}
	if i := strings.LastIndex(word, "node_modules/"); i >= 0 {
		if tool, ok := entries[word[i+len("node_modules/"):]]; ok {
			return tool
		}
	}
	dir, base := path.Split(word)
	for _, ext := range []string{".exe", ".cmd", ".ps1", ".EXE", ".CMD"} {
		base = strings.TrimSuffix(base, ext)
	}
	// Yarn keeps a copy of itself in the project, and its packages for
	// operating systems lie outside of node_modules.
	if strings.HasSuffix(dir, ".yarn/releases/") && strings.HasPrefix(base, "yarn-") || strings.HasSuffix(dir, "/bin/") && base == "yarn.js" {
		return "yarn"
	}
	switch path.Base(path.Clean(dir)) {
	case "bin", ".bin", ".", "nodejs", "Scripts":
		return base
	}
	if isRuntime(base) {
		return base
	}
	return word
}

// scriptTool is toolName for a file that a runtime was given: a bare name is a
// file in the working directory there, not a program of PATH.
func scriptTool(word string) string {
	if !strings.ContainsAny(word, `/\`) {
		return "./" + word
	}
	return toolName(word)
}
