package pgserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// The keeper is a child process in a session of its own that owns a disposable
// server: it makes the folder, is the postmaster's parent, and when its
// standard input ends (we stopped it, or are gone, SIGKILL included) it stops
// the server and removes the folder. So nothing can be left behind between two
// steps of ours.
const keeperRole = "pg-keeper"

func init() {
	reexec.Register(keeperRole, func([]string) int { return keep(os.Stdin, os.Stdout) })
}

// keeperSpec is what the keeper is told, as one JSON value; it comes through
// the pipe because it has the password.
type keeperSpec struct {
	Bin      string
	Template string // data directory to copy; "": initdb
	Password string // the superuser's
	DataOnly bool   // keep a data directory, start no server
	Settings []string
	HBA      []string
}

// keeperWord is what it says: notes, then once Place or Error.
type keeperWord struct {
	Note, Error string
	Place       *keeperPlace
}

type keeperPlace struct {
	Dir, Account string
	Port, PID    int
}

type keeper struct {
	spec   keeperSpec
	as     account
	dir    string
	say    *json.Encoder
	server *exec.Cmd
	exited chan struct{} // closed when the server that we started has ended
}

func keep(in io.Reader, out io.Writer) int {
	runtime.LockOSThread() // see endWithParent
	outliveReader()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	k := &keeper{say: json.NewEncoder(out)}
	lines := bufio.NewReader(in)
	spec, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(spec, &k.spec) != nil {
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		cancel()
	}()
	defer k.remove()
	place, err := k.start(ctx)
	if err != nil {
		_ = k.say.Encode(keeperWord{Error: err.Error()})
	} else {
		_ = k.say.Encode(keeperWord{Place: place})
		<-ctx.Done()
	}
	if !k.stop() {
		k.dir = "" // somebody still writes there
		return 1
	}
	return 0
}

func (k *keeper) dataDir() string { return filepath.Join(k.dir, "data") }

// marker is the file that says that a folder is a keeper's to remove.
const marker = ".dbtasks-disposable"

func (k *keeper) start(ctx context.Context) (*keeperPlace, error) {
	var err error
	if k.as, err = disposableAccount(); err != nil {
		return nil, err
	}
	if err := k.makeFolder(); err != nil {
		return nil, err
	}
	if k.spec.Template != "" {
		err = copyData(k.spec.Template, k.dataDir(), k.as)
	} else {
		err = k.initdb()
	}
	if err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	place := &keeperPlace{Dir: k.dir, Account: k.as.name}
	if k.spec.DataOnly {
		return place, nil
	}
	if err := k.writeSettings(); err != nil {
		return nil, err
	}
	const tries = 5
	for try := 1; ; try++ {
		place.Port, place.PID, err = k.startServer(ctx)
		if err == nil || try == tries || !errors.Is(err, errPortTaken) {
			return place, err
		}
		_ = k.say.Encode(keeperWord{Note: fmt.Sprintf("port %d was taken in the meantime: trying another", place.Port)})
		if !k.stop() {
			return nil, err
		}
	}
}

// makeFolder makes the server's folder; others may enter it for the socket.
func (k *keeper) makeFolder() error {
	dir, err := os.MkdirTemp(k.as.tempRoot(), "dbtasks-pg-")
	if err != nil {
		return err
	}
	k.dir = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, marker), nil, 0o600); err != nil {
		return err
	}
	return k.as.own(dir)
}

// initdb takes 0.6 s; it is not interrupted, so that it leaves no child.
func (k *keeper) initdb() error {
	password := filepath.Join(k.dir, "password")
	if err := os.WriteFile(password, []byte(k.spec.Password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(password)
	if err := k.as.own(password); err != nil {
		return err
	}
	cmd := exec.Command(program(k.spec.Bin, "initdb"), "-D", k.dataDir(), "-U", superuser, "--pwfile", password,
		"-A", "scram-sha-256", "--locale=C", "-E", "UTF8", "--no-sync", "--wal-segsize=1")
	cmd.SysProcAttr = k.as.attr()
	cmd.Dir = k.dir
	cmd.Env = serverEnviron()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb as %s: %w: %s", k.as.name, err, lastLines(string(out), 3))
	}
	return nil
}

// stop ends whatever server runs on the folder and tells whether none does: it
// may be another than the one we started, when somebody restarted it.
func (k *keeper) stop() bool {
	for range 3 {
		pid := k.running()
		if pid == 0 {
			return true
		}
		fastStop(k.spec.Bin, pid)
		if k.gone(pid, 5*time.Second) {
			continue
		}
		immediateStop(k.spec.Bin, pid)
		if !k.gone(pid, 10*time.Second) {
			return false
		}
	}
	return k.running() == 0
}

// running is the pid of the server on the folder, 0 when there is none.
func (k *keeper) running() int {
	if k.server != nil {
		select {
		case <-k.exited:
		default:
			return k.server.Process.Pid
		}
	}
	if k.dir == "" {
		return 0
	}
	file, err := readPIDFile(k.dataDir())
	if err != nil || !worksIn(file.pid, k.dataDir()) {
		return 0
	}
	return file.pid
}

func (k *keeper) gone(pid int, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if k.running() != pid {
			return true
		}
	}
	return false
}

// remove removes the folder, if it is still the one that was made. Processes
// of a crashed server may write a moment longer.
func (k *keeper) remove() {
	if k.dir == "" {
		return
	}
	if _, err := os.Lstat(filepath.Join(k.dir, marker)); err != nil {
		return
	}
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if os.RemoveAll(k.dir) == nil || time.Now().After(deadline) {
			return
		}
	}
}
