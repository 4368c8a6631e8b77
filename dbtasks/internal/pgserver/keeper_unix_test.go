//go:build unix

package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// starterRole starts a server, says where, and waits to be killed.
const starterRole = "pgserver-test-starter"

func init() {
	reexec.Register(starterRole, func(args []string) int {
		bin, err := pgserver.FindBinaries(context.Background(), pgserver.FindOptions{Dir: args[0]})
		if err == nil {
			fmt.Println("starting")
			var d *pgserver.Disposable
			if d, err = pgserver.StartDisposable(context.Background(), pgserver.DisposableOptions{Binaries: bin}); err == nil {
				fmt.Println(d.PID, d.Port, d.DataDir)
				time.Sleep(time.Hour) // a bare select would end a program without cgo
			}
		}
		fmt.Println(err)
		return 1
	})
}

// starter runs it up to its line with the prefix, in a process group of its own.
func starter(t *testing.T) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = reexec.Command(context.Background(), starterRole, pgtest.Binaries(t).Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines = bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "starting" {
		t.Fatalf("the starter said %q", lines.Text())
	}
	return cmd, lines
}

func TestNothingIsLeftWhateverSignalEndsTheWholeGroupOfTheStarter(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			temp := ownTemp(t)
			cmd, lines := starter(t)
			if !lines.Scan() {
				t.Fatal("the starter said nothing")
			}
			var pid, port int
			var dir string
			if _, err := fmt.Sscan(lines.Text(), &pid, &port, &dir); err != nil {
				t.Fatalf("the starter said %q", lines.Text())
			}
			if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			pgtest.Eventually(t, 10*time.Second, "server and folder are gone", func() bool {
				return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) && len(folders(t, temp)) == 0
			})
			if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
				_ = conn.Close()
				t.Error("its port still answers")
			}
		})
	}
}

func TestTheServerEndsWhenStarterAndKeeperAreKilledAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no other kernel tells a child of its parent's death")
	}
	ownTemp(t)
	cmd, lines := starter(t)
	if !lines.Scan() {
		t.Fatal("the starter said nothing")
	}
	var pid, port int
	var dir string
	if _, err := fmt.Sscan(lines.Text(), &pid, &port, &dir); err != nil {
		t.Fatalf("the starter said %q", lines.Text())
	}
	server, err := process.NewProcess(int32(pid))
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := server.Ppid()
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} { // neither has time to do the other's work
		if err := errors.Join(syscall.Kill(cmd.Process.Pid, sig), syscall.Kill(int(keeper), sig)); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Eventually(t, 10*time.Second, "the server is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestNothingIsLeftOfAStartThatWasKilled(t *testing.T) {
	temp := ownTemp(t)
	cmd, _ := starter(t)
	pgtest.Eventually(t, 5*time.Second, "the folder is made", func() bool { return len(folders(t, temp)) == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, 10*time.Second, "the folder is gone", func() bool { return len(folders(t, temp)) == 0 })
}

func TestAServerThatCrashedIsTidiedUpAsWell(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if err := syscall.Kill(s.PID, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, 5*time.Second, "the server is down", func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(s.DataDir)); !os.IsNotExist(err) {
		t.Errorf("the folder is still there (%v)", err)
	}
}

func TestStopDoesTheKeepersWorkWhenSomebodyKilledIt(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	server, err := process.NewProcess(int32(s.PID))
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := server.Ppid()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(int(keeper), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(s.DataDir)); !os.IsNotExist(err) {
		t.Errorf("the folder is still there (%v)", err)
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err == nil {
		_ = conn.Close()
		t.Error("the server outlived Stop")
	}
}

func TestAFrozenServerIsStopped(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestTheServersOwnAccountIsLetInOverTheSocketWithoutAPassword(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if s.Account == me.Username {
		conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=%s database=postgres", s.SocketDir, s.Port, s.Superuser))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
		return
	}
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("as root this needs psql, to be run by the server's account")
	}
	account, err := user.Lookup(s.Account)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	run := func(as *syscall.Credential) (string, error) {
		cmd := exec.Command(psql, "-w", "-h", s.SocketDir, "-p", strconv.Itoa(s.Port), "-U", s.Superuser, "-Atc", "select 1", "postgres")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}); err != nil || strings.TrimSpace(out) != "1" {
		t.Errorf("as %s: %s (%v)", s.Account, out, err)
	}
	if out, err := run(&syscall.Credential{Uid: 65533, Gid: 65533}); err == nil {
		t.Errorf("as another account: %s", out)
	}
}
