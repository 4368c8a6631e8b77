//go:build linux

package faults

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/reexec"
)

func init() { reexec.Register("listen", listenMain) }

// listenMain is a dev server: it listens on PORT and stays. STUBBORN ignores
// TERM, INT and HUP; CHILDREN is how many idle children it has.
func listenMain([]string) int {
	if os.Getenv("STUBBORN") != "" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	}
	var n int
	_, _ = fmt.Sscan(os.Getenv("CHILDREN"), &n)
	for range n {
		if err := exec.Command("sleep", "60").Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer l.Close()
	fmt.Println("listening")
	time.Sleep(time.Minute) // nobody waits for it: whoever leaves it behind fails
	return 0
}

// standin is a process that a row started beside the tool.
type standin struct {
	cmd     *exec.Cmd
	pid     int
	started string
}

// start runs this binary as "node" in a folder, in a role, and returns when it
// says that it is ready.
func (s *scene) start(dir, role string, env ...string) *standin {
	s.Helper()
	_, node := programs(s.T)
	cmd := exec.Command(node, "server.js")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "DBTASKS_ROLE="+role), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	p := &standin{cmd: cmd, pid: cmd.Process.Pid}
	said, err := bufio.NewReader(out).ReadString('\n')
	go func() { _ = cmd.Wait() }()
	s.Cleanup(func() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) })
	if err != nil || strings.TrimSpace(said) != "listening" {
		s.Fatalf("the stand-in said %q (%v)", said, err)
	}
	p.started = startTime(p.pid)
	return p
}

func (p *standin) alive() bool { return p.started != "" && startTime(p.pid) == p.started }
