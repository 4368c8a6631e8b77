package hostops

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/reexec"
)

// Roles that the tests' own processes play.
func init() {
	// Ignores TERM, and says when it does.
	reexec.Register("stubborn", func([]string) int {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	})
	// Listens on the address of its argument.
	reexec.Register("listen", func(args []string) int {
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		select {}
	})
	// Connects to the address of its argument.
	reexec.Register("client", func(args []string) int {
		c, err := net.Dial("tcp", args[0])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(c.LocalAddr().(*net.TCPAddr).Port)
		select {}
	})
}

func TestMain(m *testing.M) {
	reexec.Run()
	os.Exit(m.Run())
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

// start runs a command until the test ends, and reaps it in the background.
func start(t *testing.T, cmd *exec.Cmd) Process {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	p, err := Find(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
