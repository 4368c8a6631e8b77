package hostops

import (
	"path"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// left stands for arguments that are not shown.
const left = "…"

// Command is what runs, for people: the program, the script, and of the other
// arguments those that are known to be harmless. A password may stand anywhere
// on another program's command line and be called anything, so what is not
// known is left out, with a "…". Nothing in it is obeyed by a terminal, and it
// is about 80 characters long at most.
func (p Process) Command() string {
	args := p.Args
	if len(args) == 1 { // a title that the process wrote itself
		args = strings.Fields(args[0])
	}
	c := command{}
	if len(args) > 0 && programName().MatchString(base(args[0])) {
		c.show(strings.TrimSuffix(base(args[0]), ".exe"))
		args = args[1:]
	} else {
		c.show(nameOnly(p.Name))
		args = nil
	}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case harmlessFlags[arg], harmlessWord(arg), ownVersion().MatchString(arg):
			c.show(arg)
		case arg == "--port" && i+1 < len(args) && isPort(args[i+1]):
			c.show(arg + " " + args[i+1])
			i++
		case strings.HasPrefix(arg, "--port=") && isPort(arg[len("--port="):]):
			c.show(arg)
		case strings.HasPrefix(arg, "-"):
			c.hide()
			if valuedFlags[arg] {
				i++
			}
		case !c.script && isScript(arg):
			c.script = true
			c.show(base(arg))
		default:
			c.hide()
			c.script = true // only the first word can be what is run
		}
	}
	return strings.Join(c.words, " ")
}

// command is a command line being written for people.
type command struct {
	words  []string
	length int
	script bool // what is run was seen
}

// commandWidth is how many characters are shown, the last word aside.
const commandWidth = 64

func (c *command) show(word string) {
	if c.length > commandWidth {
		c.hide()
		return
	}
	c.words = append(c.words, word)
	c.length += len(word) + 1
}

func (c *command) hide() {
	if n := len(c.words); n == 0 || c.words[n-1] != left {
		c.words = append(c.words, left)
	}
}

var (
	programName  = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,39}:?$`)
	scriptFile   = lazyregexp.New(`^[A-Za-z0-9_.][A-Za-z0-9_.+-]{0,59}$`)
	scriptEnding = lazyregexp.New(`\.(?:[cm]?[jt]sx?|py|rb|sh|go|php|pl|jar|svelte|vue)$`)
	scriptSpeak  = lazyregexp.New(`^([a-z]+)(?:[:._-][a-z]{1,12}){0,2}$`) // npm's "dev:web"
	ownVersion   = lazyregexp.New(`^\(v?[0-9]+(?:\.[0-9]+){0,3}\)$`)      // "next-server (v16.4.3)"
	drive        = lazyregexp.New(`^[A-Za-z]:\\`)
	unclearPath  = lazyregexp.New(`[^A-Za-z0-9_./\\ +~-]`)
)

// harmlessWords are subcommands, package scripts and tools.
var harmlessWords = setOf(`dev develop development start serve server preview run run-script watch test tests build exec dlx
	worker web api app client all once hot ci init install
	vite next nuxt nuxi astro remix react-router svelte-kit webpack rollup esbuild turbo nx lerna concurrently nodemon tsx ts-node
	vitest jest playwright cypress mocha prisma drizzle-kit studio generate migrate node bun deno npm npx pnpm pnpx yarn bunx corepack
	go air wgo mage gunicorn uvicorn flask django rails puma sidekiq php artisan`)

// harmlessFlags have no value, or one that is shown only where it is known.
var harmlessFlags = setOf(`-- -c -m --watch --turbo --turbopack --webpack --inspect --inspect-brk --hot --bun --force --open --strictPort --strict-port
	--https --silent --host --hostname --experimental-strip-types --enable-source-maps --no-warnings --prod --dev --once --reload`)

// valuedFlags take the next argument, which is not what is run.
var valuedFlags = setOf(`-r --require --import --loader --experimental-loader -e --eval -p --print --env-file -C --conditions --cwd --dir --filter -F --prefix -w --workspace`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// harmlessWord tells whether a word is one of harmlessWords, or begins with one
// as the names of package scripts do: "test:run", "start-dev".
func harmlessWord(word string) bool {
	m := scriptSpeak().FindStringSubmatch(word)
	return harmlessWords[word] || m != nil && harmlessWords[m[1]]
}

// isScript tells whether an argument is a file to run: by its ending, or a path.
func isScript(arg string) bool {
	if drive().MatchString(arg) {
		arg = arg[2:]
	}
	if unclearPath().MatchString(arg) || !scriptFile().MatchString(base(arg)) {
		return false
	}
	return scriptEnding().MatchString(arg) || strings.ContainsAny(arg, `/\`)
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n < 1<<16 && text == strconv.Itoa(n)
}

// base is the last part of a path of any system.
func base(name string) string {
	if name == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(name, `\`, "/"))
}

// nameOnly is the kernel's short name, where that is one.
func nameOnly(name string) string {
	if programName().MatchString(name) {
		return name
	}
	return left
}
