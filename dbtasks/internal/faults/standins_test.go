//go:build linux

package faults

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func init() {
	reexec.Register("listen", listenMain)
	reexec.Register("visit", visitMain)
}

// listenMain is a dev server: it listens on PORT and stays.
//
// STUBBORN ignores TERM, INT and HUP; NOTE is the file that it makes when TERM
// came. CHILDREN is how many idle children it
// has, SETSID puts them into sessions of their own. CHURN starts and ends
// children all the time. FORK lets an orphan do the work. TITLE is what it calls
// itself. PATIENT waits for the port.
func listenMain([]string) int {
	set := func(name string) bool { return os.Getenv(name) != "" }
	if set("FORK") {
		_ = os.Unsetenv("FORK")
		cmd := reexec.Command(context.Background(), "listen")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return 1
		}
		return 0
	}
	if title := os.Getenv("TITLE"); title != "" {
		_ = os.Unsetenv("TITLE")
		self, _ := os.Executable()
		fmt.Println(syscall.Exec(self, []string{title}, append(os.Environ(), "DBTASKS_ROLE=listen")))
		return 1
	}
	if set("STUBBORN") {
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		go func() {
			for s := range signals {
				if note := os.Getenv("NOTE"); note != "" && s == syscall.SIGTERM {
					_ = os.WriteFile(note, nil, 0o644)
				}
			}
		}()
	}
	var n int
	_, _ = fmt.Sscan(os.Getenv("CHILDREN"), &n)
	for range n {
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: set("SETSID")}
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	if set("CHURN") {
		go func() {
			for {
				_ = exec.Command("sleep", "0.02").Run()
			}
		}()
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if set("PATIENT") {
		fmt.Println("listening")
		for ; err != nil; l, err = net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT")) {
			time.Sleep(2 * time.Millisecond)
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer l.Close()
	fmt.Println("listening")
	time.Sleep(time.Minute) // nobody waits for it: whoever leaves it behind fails
	return 0
}

// visitMain is a browser: it holds a connection to PORT.
func visitMain([]string) int {
	c, err := net.Dial("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer c.Close()
	fmt.Println("listening")
	time.Sleep(time.Minute)
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
	return s.startAs(s.account, dir, role, exec.Command(node, "server.js"), env...)
}

// startAs runs a copy of this binary as an account, in the same way.
func (s *scene) startAs(as *account, dir, role string, cmd *exec.Cmd, env ...string) *standin {
	s.Helper()
	cmd.Dir = dir
	mark := "FAULT_STANDIN=" + rand.Text()
	cmd.Env = append(append(os.Environ(), "DBTASKS_ROLE="+role, mark), env...)
	cmd.SysProcAttr = as.attributes()
	cmd.SysProcAttr.Setpgid = true
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
	s.Cleanup(func() { s.sweep(mark) })
	if err != nil || strings.TrimSpace(said) != "listening" {
		s.Fatalf("the stand-in said %q (%v)", said, err)
	}
	p.started = startTime(p.pid)
	return p
}

func (p *standin) alive() bool { return p.started != "" && startTime(p.pid) == p.started }

// sweep ends what a stand-in left, its orphans too, by the mark in their
// environment.
func (s *scene) sweep(mark string) {
	for _, pid := range markedWith(mark) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
}

// tooMany is PostgreSQL's refusal of a login for which no slot is left.
var tooMany, _ = (&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "53300", Message: "sorry, too many clients already", Routine: "InitProcess"}).Encode(nil)

// serveOn answers each login at an address, after a refusal of TLS, with what
// answer says; it ends after a minute, since nobody waits for it.
func serveOn(address string, answer func(net.Conn)) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	time.AfterFunc(time.Minute, func() { _ = l.Close() })
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		go func() {
			defer c.Close()
			if startup(c) == nil {
				answer(c)
			}
		}()
	}
}

// startup reads a client's first message and refuses TLS before.
func startup(c net.Conn) error {
	backend := pgproto3.NewBackend(c, c)
	for {
		msg, err := backend.ReceiveStartupMessage()
		if err != nil {
			return err
		}
		switch msg.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := c.Write([]byte("N")); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}
