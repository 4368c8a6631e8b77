//go:build unix

package bench

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// watched is one program that watches the server for a while.
type watched struct {
	name string
	command
	terminal bool
	why      string // of ours: what stands in the way of the aim

	cpu    float64 // seconds, with what it started and waited for
	memory int64   // its largest resident set, bytes
}

// watch runs it for the time and ends it.
func (w *watched) watch(b *testing.B, during time.Duration) {
	cmd := w.prepare(context.Background())
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	if w.terminal {
		screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
		if err != nil {
			b.Error(err)
			return
		}
		defer screen.Close()
		go func() { _, _ = io.Copy(io.Discard, screen) }()
	} else if err := cmd.Start(); err != nil {
		b.Error(err)
		return
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		b.Errorf("%s ended before its time: %s", w.name, cmd.ProcessState)
		return
	case <-time.After(during):
	}
	_ = cmd.Process.Signal(os.Interrupt)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
	w.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		w.memory = int64(usage.Maxrss) << 10
	}
}

// monitors run side by side for a minute, once a second, against 100 sessions;
// what counts is the processor time.
func monitors(b *testing.B) {
	const during = time.Minute
	p := newPlace(b, 150)
	leak := pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: 100})
	defer leak.Stop()
	env := p.shellEnv(b)
	count := ` "$URL" -XAt -c 'SELECT state, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1'`
	lines := &watched{name: "db:monitor, a line each", command: command{args: []string{binary(b), "db:monitor", "-every=1s"}, dir: p.project},
		why: "it is a start, a login and one query and one line a second: what is left is mostly the kernel's time to wake it up; tried: one statement a look"}
	live := &watched{name: "db:monitor, the live screen", command: command{args: []string{binary(b), "db:monitor", "-every=1s"}, dir: p.project}, terminal: true,
		why: "it is drawn anew and reads who holds the sessions, and its library wakes up for each frame, drawn or not; tried: 10 frames a second where it were 60, holders read again only for new sessions"}
	watch := func(name, psql string) *watched {
		return &watched{name: name, command: command{args: []string{installed(b, "watch"), "-t", "-n1", psql + count}, dir: p.project, env: env}, terminal: true}
	}
	bare := watch("watch -n1 psql, the program itself", `"$PSQL"`)
	all := []*watched{lines, live, bare}
	asTyped := watch("watch -n1 psql, as Debian installs it (pg_wrapper)", "psql")
	if path, err := exec.LookPath("psql"); err == nil && wrapped(path) {
		all = append(all, asTyped)
	} else {
		asTyped.args = nil
	}
	activity := &watched{name: "pg_activity", terminal: true}
	if path, err := exec.LookPath("pg_activity"); err == nil {
		activity.command = command{args: []string{path, "--refresh", "1", "--no-inst-info", "--no-sys-info", p.AdminURL("postgres")}, dir: p.project}
		all = append(all, activity)
	} else {
		b.Log("pg_activity is not installed")
	}
	if p.admin == nil {
		p.admin = p.Admin("postgres")
	}
	var running sync.WaitGroup
	for _, w := range all {
		running.Go(func() { w.watch(b, during) })
	}
	pgtest.Eventually(b, 10*time.Second, "both monitors are logged in, each once", func() bool { return pgtest.Count(b, p.admin, "a.application_name = 'dbtasks'") == 2 })
	running.Wait()
	if b.Failed() {
		return
	}
	for _, m := range []struct {
		ours, theirs *watched
		aim, lost    float64
	}{{lines, asTyped, 1.0 / 20, 0.06}, {lines, bare, 1.0 / 20, 0.12}, {live, asTyped, 1.0 / 20, 0.3}, {live, bare, 1.0 / 20, 0.7}, {lines, activity, 0.2, 0.25}, {live, activity, 0.2, 1}} {
		if m.theirs.args == nil {
			continue
		}
		name := "monitor/" + map[*watched]string{lines: "lines", live: "live"}[m.ours] + "/" + map[*watched]string{asTyped: "watch", bare: "watch-bare", activity: "pg_activity"}[m.theirs]
		value := func(w *watched) side { return side{w.name, func(*testing.B) float64 { return w.cpu }} }
		b.Run(name, func(b *testing.B) {
			r := measure(b, pair{name: name, job: "watch 100 sessions for a minute, once a second: processor time", rounds: 1, ours: value(m.ours), theirs: value(m.theirs), aim: m.aim, lost: m.lost,
				why:  m.ours.why,
				note: func() string { return "memory " + megabytes(m.ours.memory) + " and " + megabytes(m.theirs.memory) }})
			record(r)
		})
	}
}

// wrapped tells whether a program is Debian's Perl script that looks for the
// right version of it.
func wrapped(path string) bool {
	to, err := filepath.EvalSymlinks(path)
	return err == nil && filepath.Base(to) == "pg_wrapper"
}

func megabytes(n int64) string { return strconv.FormatInt(n>>20, 10) + " MB" }
