package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

const (
	leakRole = "pg-leak"
	leakURL  = "PGTEST_LEAK_URL" // not on the command line: it has a password
)

func init() { reexec.Register(leakRole, leakMain) }

// Leak is a process that holds sessions and never uses them, as a dev server
// does after hot reloads.
type Leak struct {
	PID int

	cmd  *exec.Cmd
	in   io.Closer
	once sync.Once
	gone chan struct{}
}

// LeakOptions describe a leaking process.
type LeakOptions struct {
	URL         string // whose sessions; may have an application_name
	Sessions    int    // how many
	Dir         string // its working directory; "": one that is no project's, for a cleanup spares another project's
	Transaction bool   // each idle in a transaction, not idle
	// LocalPort is the client's own port of the first session, the next ones have
	// the ports after it; several processes may have the same ones towards several
	// servers. The URL needs sslmode=disable: a second try has the same port. 0: as
	// the system chooses.
	LocalPort int
	As        func(*exec.Cmd) *exec.Cmd // makes the command another account's; nil: this process' own
}

// StartLeak starts a leaking process and returns when it has all its sessions.
// It ends with the test, with Stop, or when this process is gone.
func StartLeak(t testing.TB, o LeakOptions) *Leak {
	t.Helper()
	cmd := LeakCommand(o)
	if o.As != nil {
		o.As(cmd)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &Leak{PID: cmd.Process.Pid, cmd: cmd, in: in, gone: make(chan struct{})}
	said, err := bufio.NewReader(out).ReadString('\n')
	go func() { _ = cmd.Wait(); close(l.gone) }()
	t.Cleanup(l.Kill)
	if err != nil || said != "ready\n" {
		t.Fatalf("the leaking process said %q (%v)", said, err)
	}
	return l
}

// LeakCommand is the command of a leaking process, for a caller that runs it
// elsewhere: its last two variables are what it needs. It says "ready" on its
// standard output and ends with its standard input.
func LeakCommand(o LeakOptions) *exec.Cmd {
	cmd := reexec.Command(context.Background(), leakRole, strconv.Itoa(o.Sessions), strconv.FormatBool(o.Transaction), strconv.Itoa(o.LocalPort))
	cmd.Env = append(cmd.Env, leakURL+"="+o.URL)
	if cmd.Dir = o.Dir; cmd.Dir == "" {
		cmd.Dir = string(filepath.Separator)
	}
	return cmd
}

// Stop tells it to end, which closes its sessions, and waits until it has.
func (l *Leak) Stop() {
	l.once.Do(func() { _ = l.in.Close() })
	select {
	case <-l.gone:
	case <-time.After(5 * time.Second):
		l.Kill()
	}
}

// Kill ends it, frozen or not, and waits until it is gone.
func (l *Leak) Kill() {
	select {
	case <-l.gone:
	default:
		_ = l.cmd.Process.Kill()
		<-l.gone
	}
}

func leakMain(args []string) int {
	url := os.Getenv(leakURL)
	_ = os.Unsetenv(leakURL)
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var held []*pgx.Conn // what nobody holds the garbage collector closes
	port, err := strconv.Atoi(args[2])
	if err != nil {
		return 2
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak: the URL can't be read") // the error may show it
		return 2
	}
	for i := range n {
		if port != 0 {
			config.DialFunc = dialFrom(port + i)
		}
		conn, err := pgx.ConnectConfig(ctx, config)
		held = append(held, conn)
		if err == nil && args[1] == "true" {
			_, err = conn.Exec(ctx, "BEGIN")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "leak:", err)
			return 1
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(held)
	return 0
}
