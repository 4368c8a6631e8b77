//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// dialRole connects to a Unix socket and hands the connection to its parent,
// over descriptor 3. PostgreSQL's peer authentication asks the kernel which
// account connected, and a stock Debian has no other way in for its superuser.
const dialRole = "pg-dial"

func init() { reexec.Register(dialRole, dialForParent) }

// DialAs connects to a Unix socket as another account of this machine, from a
// child process that is that account: only root can. The connection is ours.
// Nothing of the server's is run.
func DialAs(ctx context.Context, uid int, socket string) (net.Conn, error) {
	if os.Geteuid() != 0 || uid <= 0 {
		return nil, errors.New("only root can connect as another account")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	unix.CloseOnExec(pair[0])
	cmd := reexec.Command(ctx, dialRole, socket)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = accountOf(uint32(uid)).attr()
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	_ = theirs.Close()
	if err != nil {
		if words := lastLines(string(out), 1); words != "" {
			err = errors.New(words)
		}
		return nil, fmt.Errorf("connect as %s: %w", accountOf(uint32(uid)).name, err)
	}
	buffer := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), buffer, unix.MSG_DONTWAIT)
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(buffer[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("take the connection over: %d messages, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("take the connection over: %d descriptors, %w", len(fds), err)
	}
	unix.CloseOnExec(fds[0])
	file := os.NewFile(uintptr(fds[0]), socket)
	defer file.Close()
	return net.FileConn(file)
}

func dialForParent(args []string) int {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 1
	}
	sent := errors.New("not sent")
	_ = raw.Control(func(fd uintptr) { sent = syscall.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0) })
	if sent != nil {
		fmt.Fprintln(os.Stderr, sent)
		return 1
	}
	return 0
}
