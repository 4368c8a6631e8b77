package devserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// The watcher ends the command's tree when this process and the supervisor are
// both killed at once. Each of the two ends it when the other dies; with both
// gone the tree belongs to init, and who it is can only be told by what each
// process of it inherits: runVariable in its environment. The watcher is in a
// session and a folder of its own, so that what is sent to the terminal's
// processes or to the project's does not reach it.
const (
	watcherRole = "dev-watcher"
	runVariable = "DBTASKS_DEV_RUN"
)

func init() {
	reexec.Register(watcherRole, func(args []string) int { return watchBoth(args[0], args[1]) })
}

// watcher is our end of it.
type watcher struct {
	cmd  *exec.Cmd
	life *os.File // held open by this process and the supervisor alone
	mark string   // for the command's environment
}

func startWatcher(grace time.Duration) (*watcher, error) {
	theirs, life, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe to the watcher: %w", err)
	}
	defer theirs.Close()
	id := rand.Text()
	cmd := reexec.Command(context.Background(), watcherRole, id, grace.String())
	cmd.Args[0] = fmt.Sprintf("dbtasks: ends the dev server of process %d should that be killed", os.Getpid())
	cmd.Env = cmd.Env[len(cmd.Env)-1:] // the role; the rest has passwords
	cmd.Dir, cmd.Stdin = "/", theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		_ = life.Close()
		return nil, fmt.Errorf("start the watcher: %w", err)
	}
	return &watcher{cmd: cmd, life: life, mark: runVariable + "=" + id}, nil
}

// dismiss tells the watcher that nothing is left to do.
func (w *watcher) dismiss() {
	_, _ = w.life.Write([]byte{1})
	_ = w.life.Close()
	_ = w.cmd.Wait()
}

// watchBoth is the watcher: a byte means that all is done, the end of the pipe
// that nobody is left who could say so.
func watchBoth(id, grace string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	patience, err := time.ParseDuration(grace)
	if err != nil {
		return 2
	}
	var word [1]byte
	if n, _ := os.Stdin.Read(word[:]); n > 0 {
		return 0
	}
	ctx := context.Background()
	f := newFamilyOf(os.Getpid())
	for range 3 {
		found := marked(ctx, id)
		for _, p := range found {
			f.known[p.Identity] = true
		}
		if len(found) == 0 {
			return 0
		}
		f.end(ctx, patience)
	}
	return 1
}

// marked are the processes that inherited the mark, but for the user's own
// programs and what those started.
func marked(ctx context.Context, id string) (list []hostops.Process) {
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return nil
	}
	mark := []byte("\x00" + runVariable + "=" + id + "\x00")
	for _, p := range table.All() {
		if p.Kernel || p.State == hostops.Zombie || p.PID == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "environ"))
		if err == nil && bytes.Contains(append([]byte{0}, environ...), mark) && !usersOwn(table, p) {
			list = append(list, p)
		}
	}
	return list
}

// usersOwn tells whether a process is the user's own program (an editor) or was
// started by one.
func usersOwn(table *hostops.Table, p hostops.Process) bool {
	for range 64 {
		if userProgram(p.Args, "", p.Name) {
			return true
		}
		up, ok := table.Process(p.PPID)
		if !ok || up.PID <= 1 {
			return false
		}
		p = up
	}
	return false
}

// dieWithParent has the kernel tell the command when the supervisor dies
// (prctl(2), PR_SET_PDEATHSIG): the caller stays on its thread, whose end counts.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
