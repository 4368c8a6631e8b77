package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// The guard is a child process that runs a command which may be cut short, and
// ends it with all that it has started when its standard input ends: we said
// so, or are gone, SIGKILL included. It stays in our process group, so that
// sudo can ask for its password on the terminal.
const guardRole = "restart-guard"

func init() {
	reexec.Register(guardRole, func([]string) int { return guard(os.Stdin) })
}

// interruptGrace is what a command that is cut short gets to end; Mage gives
// its targets 5 s in all.
const interruptGrace = 2 * time.Second

// guarded is a command below a guard.
type guarded struct {
	cmd  *exec.Cmd // the guard
	args []string  // the command's
	pipe io.WriteCloser
}

func newGuarded(cmd *exec.Cmd) (*guarded, error) {
	if os.Getenv("DBTASKS_ROLE") == guardRole {
		return nil, errors.New("this program does not call reexec.Run at its start") // and would start itself for ever
	}
	g := &guarded{cmd: reexec.Command(context.Background(), guardRole), args: cmd.Args}
	g.cmd.Dir = cmd.Dir
	var err error
	g.pipe, err = g.cmd.StdinPipe()
	return g, err
}

// start starts the guard and has it start the command.
func (g *guarded) start() error {
	if err := g.cmd.Start(); err != nil {
		return err
	}
	_ = json.NewEncoder(g.pipe).Encode(g.args) // an error here means that it is dead: Wait tells
	return nil
}

// cut ends the command, and waits until it is gone.
func (g *guarded) cut(ended <-chan error) {
	_ = g.pipe.Close()
	select {
	case <-ended:
	case <-time.After(interruptGrace + 2*time.Second): // what is left can't be killed
	}
}

// guard is the guard's main: its exit code is the command's, or 128+n.
func guard(in io.Reader) int {
	var args []string
	orders := json.NewDecoder(in)
	if orders.Decode(&args) != nil || len(args) == 0 {
		return 2 // who started us is dead already
	}
	// Ctrl+C reaches the command itself; what was ignored from the start (nohup)
	// stays so there.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	defer hostops.Subreap()()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	cut := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, io.MultiReader(orders.Buffered(), in))
		close(cut)
	}()
	select {
	case err := <-ended:
		return exitCode(err)
	case <-cut:
		endTree(context.Background(), cmd.Process.Pid)
		return exitCode(<-ended)
	}
}

// endTree ends a command with what is below it. What it made a daemon before
// is not below it any more, and PostgreSQL is never ended like this.
func endTree(ctx context.Context, pid int) {
	daemons := map[hostops.Identity]bool{}
	grace := interruptGrace
	for round := range 4 {
		table, err := hostops.Snapshot(ctx)
		if err != nil {
			return
		}
		var plan hostops.StopPlan
		for _, p := range table.Children(os.Getpid()) {
			if p.PID == pid || round > 0 && !daemons[p.Identity] && p.State != hostops.Zombie {
				plan.Targets = append(plan.Targets, hostops.StopTarget{Process: p, Reason: "the restart was cut short"})
			} else if round == 0 {
				daemons[p.Identity] = true
			}
		}
		if len(plan.Targets) == 0 {
			return
		}
		// A shell that goes on to its next command, and is gone then, leaves that
		// to us as a subreaper: hence the rounds.
		_, _ = hostops.Stop(ctx, plan, hostops.StopOptions{Grace: grace})
		grace = 200 * time.Millisecond
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
