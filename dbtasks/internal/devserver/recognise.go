package devserver

import (
	"path"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Recognise tells whether a process runs a dev server, and says which ("vite
// dev", "npm run dev", "next-server"). args, exe and name are as the operating
// system has them; exe and name may be "". It goes by the program and its
// arguments, never by a word anywhere in the line. Two programs overwrite
// their command line with a title (measured): npm ("npm run dev") and the
// server of Next.js ("next-server (v16.4.3)", in production as well).
func Recognise(args []string, exe, name string) (what string, ok bool) {
	words := commandWords(args, name)
	if len(words) == 0 || !runsScripts(exe, words) {
		return "", false
	}
	if words[0] == "next-server" {
		return "next-server", true
	}
	return tell(words).runsDev()
}

// Launcher tells whether a process is one that stands between a dev server and
// whoever asked for it: the package manager, a wrapper such as cross-env or
// concurrently, the sh -c that runs the script, another dev command.
func Launcher(args []string, name string) bool {
	words := commandWords(args, name)
	if len(words) == 0 {
		return false
	}
	if line, ok := shellLine(words); ok {
		commands, ok := simpleCommands(line)
		return ok && slices.ContainsFunc(commands, func(c []string) bool {
			return len(c) > 0 && Launcher(c, "")
		})
	}
	if _, dev := Recognise(args, "", name); dev {
		return true
	}
	switch p := tell(words); p.Name {
	case "npm", "pnpm", "yarn", "bun":
		sub := subcommand(p.Args, managerValueFlags)
		return sub == "run" || sub == "run-script" || sub == "exec" || sub == "x" || sub == "dlx" || sub == "workspace" || sub == "workspaces"
	case "go":
		return len(p.Args) > 0 && p.Args[0] == "run"
	case "npx", "bunx", "pnpx", "tsx", "ts-node", "pm2-runtime", "forever", "cross-env", "dotenv", "dotenvx", "env-cmd", "concurrently", "npm-run-all", "run-p", "run-s", "turbo", "nx", "wireit":
		return true
	}
	return false
}

// Bystander tells whether a process is one that may well run in the project's
// folder, listen there, or have been started by the dev server, and is still
// none of it: an editor, a language server, a browser, an agent, a test
// watcher, a database browser.
func Bystander(args []string, exe, name string) bool {
	if userProgram(args, exe, name) {
		return true
	}
	words := commandWords(args, name)
	if len(words) == 0 {
		return false
	}
	p := tell(words)
	source := SourceOf(args, exe, "/")
	if isMCP().MatchString(source.File) || isMCP().MatchString(p.Name) || subcommand(p.Args, nil) == "mcp" {
		return true
	}
	switch strings.TrimPrefix(source.Package, "@") {
	case "storybook", "playwright", "playwright/test", "vitest", "vitest/ui", "jest", "cypress", "typescript", "svelte-language-server", "eslint":
		return true
	}
	switch path.Base(p.Name) {
	case "vitest", "jest", "playwright", "cypress", "mocha", "ava", "karma", "tsc", "vue-tsc", "svelte-check", "eslint", "eslint_d", "prettierd", "biome",
		"svelteserver", "typescript-language-server", "vtsls", "astro-ls", "gopls", "tailwindcss-language-server", "vscode-eslint-language-server",
		"tsserver.js", "typingsInstaller.js", "eslintServer.js", "storybook", "psql", "pgcli":
		return true
	case "prisma", "drizzle-kit":
		return subcommand(p.Args, nil) == "studio" || subcommand(p.Args, nil) == "language-server"
	}
	return strings.Contains(p.Name, "language-server")
}

// userPrograms are programs with windows or work of the user's own in them, by
// the name of the executable: never ended with a dev server that opened them.
var userPrograms = []string{
	"code", "code-insiders", "codium", "vscodium", "cursor", "windsurf", "zed", "zeditor", "subl", "sublime_text", "atom", "idea", "webstorm", "goland", "phpstorm", "rider",
	"vi", "vim", "nvim", "gvim", "emacs", "emacsclient", "nano", "hx", "helix", "kate", "gedit",
	"chrome", "google-chrome", "chromium", "chromium-browser", "firefox", "firefox-bin", "safari", "msedge", "brave", "brave-browser", "opera", "vivaldi", "arc",
	"tmux", "screen", "zellij", "byobu", "wezterm", "wezterm-gui", "kitty", "alacritty", "ghostty", "gnome-terminal-", "gnome-terminal-server", "konsole", "xterm", "warp",
	"claude", "codex", "gemini", "aider", "opencode", "goose", "cursor-agent", "amp", "copilot", "crush", "qwen", "auggie", "cline",
	"code-server", "openvscode-server", "fleet", "kak", "lapce", "pulsar", "cursor-server", "windsurf-server", "positron", "rubymine", "pycharm", "clion", "studio64",
	"librewolf", "waterfox", "chromium-headless-shell", "headless_shell", "epiphany", "thorium", "zen-bin",
}

// agentPackages are npm's packages of agents, whose programs run in node.
var agentPackages = []string{"@anthropic-ai/claude-code", "@openai/codex", "@google/gemini-cli", "opencode-ai", "@sourcegraph/amp", "@github/copilot",
	"@qwen-code/qwen-code", "@augmentcode/auggie", "cline", "@continuedev/cli", "code-server", "openvscode-server"}

// serverFolders are where the parts of editors that run on a server lie.
var serverFolders = lazyregexp.New(`/\.(?:vscode|cursor|windsurf|positron|vscodium|trae|kiro|antigravity)(?:-oss)?(?:-server|-remote)[^/]*/|/\.(?:vscode|vscode-insiders|vscode-oss|cursor|windsurf)/extensions/|/(?:code|openvscode)-server[^/]*/`)

// isMCP tells a server of the Model Context Protocol, which an agent or editor
// started for itself, by the name of its package, its file or its subcommand.
var isMCP = lazyregexp.New(`(?i)(?:^|[/@._-])(?:mcp|modelcontextprotocol)(?:[/._-]|$)`)

// UserProgram tells an editor, browser, terminal or agent: a program with a
// person's work in it.
func UserProgram(args []string, exe, name string) bool { return userProgram(args, exe, name) }

// userProgram goes by the executable, and for agents that run in node by the
// title or script they run as.
func userProgram(args []string, exe, name string) bool {
	candidates := []string{exe, name}
	if slices.Contains(agentPackages, SourceOf(args, exe, "/").Package) {
		return true
	}
	if words := commandWords(args, name); len(words) > 0 {
		candidates = append(candidates, words[0], tell(words).Name)
	}
	for _, c := range candidates {
		c = strings.ToLower(strings.ReplaceAll(c, `\`, "/"))
		if serverFolders().MatchString(c) {
			return true
		}
		base := strings.TrimSuffix(path.Base(c), ".exe")
		// "tmux: server", "Google Chrome Helper", "Code Helper (Plugin)"
		base, _, _ = strings.Cut(base, ":")
		base = strings.TrimSuffix(base, " - insiders")
		if slices.Contains(userPrograms, base) || strings.HasPrefix(base, "google chrome") || strings.HasPrefix(base, "code helper") || strings.HasPrefix(base, "cursor helper") {
			return true
		}
	}
	return false
}

// commandWords are the arguments as they were before a title overwrote them,
// as far as that can be told: npm's title is what was typed.
func commandWords(args []string, name string) []string {
	for len(args) > 0 && strings.TrimSpace(args[len(args)-1]) == "" {
		args = args[:len(args)-1]
	}
	title := ""
	switch {
	case len(args) == 0:
		title = name
	case len(args) == 1:
		title = strings.TrimSpace(args[0])
	case args[0] == "next-server":
		return args
	}
	if strings.HasPrefix(title, "next-server") && (len(title) == len("next-server") || title[len("next-server")] == ' ') {
		return []string{"next-server"}
	}
	for _, manager := range []string{"npm ", "npx ", "pnpm ", "yarn "} {
		if strings.HasPrefix(title, manager) {
			return strings.Fields(title)
		}
	}
	if len(args) == 1 && strings.HasPrefix(args[0], "next-server") {
		return nil
	}
	return args
}

// runsScripts tells whether exe, where it is known, can be what words say: a
// runtime of scripts, or the named program itself.
func runsScripts(exe string, words []string) bool {
	if exe == "" {
		return true
	}
	base := path.Base(toolName(exe))
	return isRuntime(base) || strings.HasPrefix(base, "node") || base == path.Base(toolName(words[0]))
}

// shellLine is the line of "sh -c LINE".
func shellLine(words []string) (string, bool) {
	switch path.Base(toolName(words[0])) {
	case "sh", "bash", "dash", "zsh", "ash", "busybox":
	default:
		return "", false
	}
	rest := words[1:]
	if len(rest) > 0 && rest[0] == "sh" {
		rest = rest[1:]
	}
	for i, word := range rest {
		if strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && strings.HasSuffix(word, "c") {
			return strings.Join(rest[i+1:min(i+2, len(rest))], ""), len(rest) > i+1
		}
		if !strings.HasPrefix(word, "-") {
			break
		}
	}
	return "", false
}
