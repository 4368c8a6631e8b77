package hostops

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// Roles that the tests' own processes play.
func init() {
	// Survives TERM, and says when it is ready and when one came.
	reexec.Register("stubborn", func([]string) int {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("ready")
		for range term {
			fmt.Println("term")
		}
		return 0
	})
	// Starts a child and prints its pid, and another at TERM, which it survives.
	reexec.Register("multiplies", func([]string) int {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		for {
			cmd := exec.Command("sleep", "60")
			if cmd.Start() != nil {
				return 1
			}
			fmt.Println(cmd.Process.Pid)
			go func() { _ = cmd.Wait() }()
			<-term
		}
	})
	// Listens on the address of its argument.
	reexec.Register("listen", func(args []string) int {
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer l.Close()
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		return waitForTheEnd()
	})
	// Connects to an address of a network some times, and prints its first
	// own port (0: it has none).
	reexec.Register("client", func(args []string) int {
		count, _ := strconv.Atoi(args[2])
		var open []net.Conn
		for range count {
			c, err := net.Dial(args[0], args[1])
			if err != nil {
				fmt.Println(err)
				return 1
			}
			open = append(open, c)
		}
		port := 0
		if own, ok := open[0].LocalAddr().(*net.TCPAddr); ok {
			port = own.Port
		}
		fmt.Println(port)
		defer runtime.KeepAlive(open)
		return waitForTheEnd()
	})
}

// Plans to stop its own ancestors up to the grandparent, and prints what became
// of each.
func init() {
	reexec.Register("grandparent", func([]string) int { return pass("parent") })
	reexec.Register("parent", func([]string) int { return pass("grandchild", fmt.Sprint(os.Getppid())) })
	reexec.Register("grandchild", func(args []string) int {
		var plan StopPlan
		grandparent, _ := strconv.Atoi(args[0])
		for _, pid := range []int{grandparent, os.Getppid(), os.Getpid()} {
			p, err := Find(pid)
			if err != nil {
				fmt.Println(err)
				return 1
			}
			plan.Targets = append(plan.Targets, StopTarget{Process: p, Reason: "test"})
		}
		outcomes, err := Stop(context.Background(), plan, StopOptions{Grace: time.Second})
		for _, out := range outcomes {
			fmt.Println(out.Result, out.Signal+out.Detail)
		}
		if err != nil {
			fmt.Println(err)
		}
		return 0
	})
	// Shares its listener with a child, and prints port and the child's pid.
	reexec.Register("share", func([]string) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 1
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return 1
		}
		cmd := reexec.Command(context.Background(), "hold")
		cmd.ExtraFiles = []*os.File{f}
		in, err := cmd.StdinPipe() // its end tells the child that we are gone
		if err != nil || cmd.Start() != nil {
			return 1
		}
		defer in.Close()
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		fmt.Println(cmd.Process.Pid)
		_ = cmd.Wait()
		return 0
	})
	reexec.Register("hold", func([]string) int {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	})
}

// pass runs a role in a child with this process's output.
func pass(role string, args ...string) int {
	cmd := reexec.Command(context.Background(), role, args...)
	cmd.Stdout = os.Stdout
	if cmd.Run() != nil {
		return 1
	}
	return 0
}

func TestMain(m *testing.M) {
	os.Exit(reexec.Tests(m))
}

// waitForTheEnd waits for a signal. (A select without cases ends a program that
// was built without cgo: there the runtime sees that nothing can happen.)
func waitForTheEnd() int {
	time.Sleep(time.Hour)
	return 1
}
