//go:build unix

package bench

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

//go:embed testdata/vite.js
var viteJS string

// devSH opens the pipe STARTED at its first moment and becomes the dev server.
const devSH = `: > "${STARTED:-/dev/null}"
exec node node_modules/vite/bin/vite.js dev
`

// devServer puts a dev server's stand-in into the project.
func (p *place) devServer(b *testing.B) {
	b.Helper()
	p.write(b, "node_modules/vite/bin/vite.js", viteJS)
	p.write(b, "node_modules/vite/package.json", `{"name":"vite","type":"module"}`)
	p.write(b, "dev.sh", devSH)
	// Without npm, which takes 0.2 s on either side: sh dev.sh is what both start.
	p.write(b, ".env.local", "DBTASKS_DEV_COMMAND=\"sh dev.sh\"\n")
}

// tree is a dev server with its children, in a process group of its own.
type tree struct {
	cmd *exec.Cmd
	all []hostops.Process
}

// startTree runs the dev server under npm, as a terminal does, and returns when
// it listens and has its children.
func (p *place) startTree(b *testing.B, children int, args ...string) *tree {
	b.Helper()
	cmd := command{args: args, dir: p.project, env: []string{"PORT=" + strconv.Itoa(p.port), "CHILDREN=" + strconv.Itoa(children)}}.prepare(context.Background())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	t := &tree{cmd: cmd}
	b.Cleanup(func() { t.end() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "listening") {
			break
		}
	}
	pgtest.Eventually(b, 30*time.Second, "the dev server has its children", func() bool {
		t.all = t.running(b)
		return len(t.all) > children
	})
	return t
}

// running are the processes of the tree's group.
func (t *tree) running(b *testing.B) []hostops.Process {
	b.Helper()
	table, err := hostops.Snapshot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var list []hostops.Process
	for _, p := range table.All() {
		if p.PGID == t.cmd.Process.Pid && p.State != hostops.Zombie {
			list = append(list, p)
		}
	}
	return list
}

// end kills what is left of the group: every process of it is ours.
func (t *tree) end() {
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
	_ = t.cmd.Wait()
}

func (p *place) free(b *testing.B) {
	b.Helper()
	pgtest.Eventually(b, 10*time.Second, "the port is free", func() bool {
		conn, err := net.Dial("tcp4", "127.0.0.1:"+strconv.Itoa(p.port))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

func stops(b *testing.B) {
	p := newPlace(b, 20)
	p.devServer(b)
	tools := npmTools(b)
	const children = 49
	port := strconv.Itoa(p.port)
	for name, tool := range map[string]command{
		"kill-port": {args: []string{"node", filepath.Join(tools, "kill-port", "cli.js"), port}},
		"fkill":     {args: []string{"node", filepath.Join(tools, "fkill-cli", "cli.js"), "--force", ":" + port}},
	} {
		b.Run(name, func(b *testing.B) {
			var t *tree
			var left [2][]int // what each of the two left running
			ours := p.ours(b, "dev:stop")
			theirs := tool.side(name)
			count := func(i int, s side) side {
				return side{s.name, func(b *testing.B) float64 {
					cost := s.run(b)
					p.free(b)
					left[i] = append(left[i], len(t.running(b)))
					return cost
				}}
			}
			record(measure(b, pair{
				name: "stop/" + name, job: fmt.Sprintf("stop a dev server with %d child processes", children), rounds: 8,
				before: func(b *testing.B) { t = p.startTree(b, children, "sh", "dev.sh") }, after: func(*testing.B) { t.end() },
				ours: count(0, ours), theirs: count(1, theirs), aim: 0.3, lost: 0.5,
				note: func() string { return fmt.Sprintf("left running: %d by ours, %d by %s", left[0][0], left[1][0], name) },
			}))
		})
	}
}

// npmTools installs what we are compared with, once.
func npmTools(b *testing.B) string {
	b.Helper()
	installed(b, "npm")
	dir := b.TempDir()
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "kill-port@2.0.1", "fkill-cli@9.0.0")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "npm_config_update_notifier=false")
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("kill-port and fkill can't be installed from npm: %v: %s", err, out)
	}
	return filepath.Join(dir, "node_modules")
}

// untilStarted runs a command until the dev server that it starts begins, and
// ends it then.
func (p *place) untilStarted(b *testing.B, c command) float64 {
	b.Helper()
	fifo := filepath.Join(b.TempDir(), "started")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		b.Fatal(err)
	}
	c.env = append(c.env, "STARTED="+fifo, "PORT="+strconv.Itoa(p.port))
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	cmd := c.prepare(ctx)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	started := make(chan time.Time, 1)
	go func() {
		if f, err := os.Open(fifo); err == nil { // waits for the writer
			started <- time.Now()
			_ = f.Close()
		}
	}()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	var cost float64
	select {
	case at := <-started:
		cost = at.Sub(began).Seconds()
	case <-ended:
		b.Fatalf("%v ended before the dev server began: %s", c.args, said.String())
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	p.free(b)
	return cost
}

// documented is the emergency as people have it in their notes: stop what
// listens, restart PostgreSQL, end the idle sessions, try a login, go on.
func (p *place) documented(b *testing.B, start string) command {
	b.Helper()
	as := ""
	if os.Getuid() == 0 {
		u, err := user.Lookup(p.Account)
		if err != nil {
			b.Fatal(err)
		}
		as = "setpriv --reuid=" + u.Uid + " --regid=" + u.Gid + " --clear-groups "
	}
	line := installed(b, "lsof") + ` -nP -tiTCP:$APP_PORT -sTCP:LISTEN | xargs kill
while lsof -nP -tiTCP:$APP_PORT -sTCP:LISTEN >/dev/null; do :; done
` + as + filepath.Join(pgtest.Binaries(b).Dir, "pg_ctl") + " restart -D " + p.DataDir + ` -m fast -w -s -l /dev/null >/dev/null
` + untilGone + `
"$PSQL" "$URL" -XAtc 'select 1' >/dev/null
exec ` + start
	return command{args: []string{"sh", "-c", line}, dir: p.project, env: p.shellEnv(b)}
}

func recovers(b *testing.B) {
	p := newPlace(b, 40)
	p.devServer(b)
	before := func(b *testing.B) {
		pgtest.Eventually(b, 10*time.Second, "the server is up", func() bool { return p.Sessions(p.db.Name) == 0 })
		t := p.startTree(b, 0, "npm", "run", "-s", "dev")
		leak := pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: 30})
		b.Cleanup(func() { t.end(); leak.Stop() })
	}
	theirs := side{"the documented shell sequence, with its restart", func(b *testing.B) float64 { return p.untilStarted(b, p.documented(b, "sh dev.sh")) }}
	for _, o := range []struct {
		restart   string
		aim, lost float64
	}{{"auto", 0.5, 0.7}, {"always", 0.9, 1.1}} {
		b.Run(o.restart, func(b *testing.B) {
			args := []string{binary(b), "dev:recover", "-restart=" + o.restart}
			record(measure(b, pair{
				name: "recover/" + o.restart, job: "the emergency, to the dev server's start; PostgreSQL restarted: " + map[string]string{"auto": "no", "always": "yes"}[o.restart], rounds: 6, before: before,
				ours: side{strings.Join(args[1:], " "), func(b *testing.B) float64 {
					return p.untilStarted(b, command{args: args, dir: p.project})
				}},
				theirs: theirs, aim: o.aim, lost: o.lost,
				why: "a look at the machine before each act, a dev server under a supervisor that outlives us, and pg_ctl's own wait for the shutdown (it looks ten times a second); tried: one look for the whole plan, going on at the server's own word that it takes logins",
			}))
		})
	}
}

// svelteKit makes the place the project of a real SvelteKit app with Prisma 7.
func (p *place) svelteKit(b *testing.B) {
	b.Helper()
	p.project = filepath.Join(b.TempDir(), "shop")
	if err := os.CopyFS(p.project, os.DirFS(filepath.Join(repository(b), "dbtasks/testdata/sveltekit-prisma7"))); err != nil {
		b.Fatal(err)
	}
	p.write(b, ".env", fmt.Sprintf("DATABASE_URL=%q\nDBTASKS_PORTS=%d\n", p.db.URL("connection_limit=5"), p.port))
	if _, err := p.Admin(p.db.Name).Exec(b.Context(), `CREATE TABLE "Order" (id serial PRIMARY KEY); GRANT ALL ON "Order" TO PUBLIC`); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"}, {"npx", "--no-install", "svelte-kit", "sync"}, {"npx", "--no-install", "prisma", "generate"}} {
		cmd := command{args: args, dir: p.project, env: []string{"npm_config_update_notifier=false", "PRISMA_SCHEMA_ENGINE_BINARY=" + binary(b)}}.prepare(b.Context())
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Skipf("the app can't be installed from npm: %v: %v: %s", args, err, out)
		}
	}
}

// page tells whether the app answers with a page.
func (p *place) page() bool {
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get("http://localhost:" + strconv.Itoa(p.port) + "/")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// serve runs a command that starts the app, until its page comes.
func (p *place) serve(b *testing.B, c command) (cost float64, end func()) {
	b.Helper()
	cmd := c.prepare(context.Background())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // ours ends its dev server
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // npm leaves it running
	})
	b.Cleanup(end)
	p.free(b) // the one before has to be gone first
	pgtest.Eventually(b, 30*time.Second, "the page comes", p.page)
	return time.Since(began).Seconds(), end
}

// firstPages is the emergency to the first page of a real app.
func firstPages(b *testing.B) {
	p := newPlace(b, 60)
	p.svelteKit(b)
	dev := "npm run -s dev -- --port " + strconv.Itoa(p.port) + " --strictPort"
	var endFirst func()
	before := func(b *testing.B) {
		_, endFirst = p.serve(b, command{args: []string{"sh", "-c", "exec " + dev}, dir: p.project})
		pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: 30})
	}
	until := func(c command) func(*testing.B) float64 {
		return func(b *testing.B) float64 {
			cost, end := p.serve(b, c)
			end()
			endFirst()
			p.free(b)
			return cost
		}
	}
	for _, o := range []struct {
		restart string
		aim     float64
	}{{"auto", 0.95}, {"always", 1}} {
		args := []string{binary(b), "dev:recover", "-restart=" + o.restart}
		record(measure(b, pair{
			name: "page/" + o.restart, job: "the same, to the first page of a real SvelteKit app; PostgreSQL restarted: " + map[string]string{"auto": "no", "always": "yes"}[o.restart], rounds: 6, before: before,
			ours:   side{strings.Join(args[1:], " "), until(command{args: args, dir: p.project})},
			theirs: side{"the documented shell sequence, with its restart", until(p.documented(b, dev))}, aim: o.aim, lost: 1.2,
			why: "most of it is npm's and Vite's own time to the first page, on either side, and differs by more from round to round than the rest takes (see recover); tried: what made recover faster",
		}))
	}
}
