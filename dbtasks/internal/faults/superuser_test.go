//go:build linux

package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func init() { reexec.Register("overhear", overhearMain) }

// superuserFaults: what would give away the superuser, or his password.
var superuserFaults = asBoth(
	fault{name: "operators in the application's search_path: who", inject: planted, args: "db:who", says: "held by", after: notSuperuser},
	fault{name: "operators in the application's search_path: limits", inject: planted, args: "db:limits", says: "max_connections", after: notSuperuser},
	fault{name: "operators in the application's search_path: a dry cleanup", inject: planted, args: "db:cleanup -dry", says: "idle", after: notSuperuser},
	fault{name: "operators in the application's search_path: monitor", inject: planted, args: "db:monitor -once", exit: 1, says: "only the reserved ones are left", after: notSuperuser},
	fault{name: "operators in the application's search_path: cleanup", inject: planted, args: "db:cleanup", says: "idle sessions", after: notSuperuser},
	fault{name: "operators in the application's search_path: recover", inject: planted, args: "dev:recover -start=false", says: "ok    cleanup", after: notSuperuser},
	fault{name: "operators, and the superuser's own URL", inject: func(s *scene) {
		planted(s)
		s.env["DATABASE_URL"] = s.server.URL(s.server.Superuser, s.server.SuperuserPassword, s.db().Name, "connection_limit=2")
	}, args: "db:cleanup -force", says: "Ended 17", after: notSuperuser},
	fault{name: "a neighbour's socket in /tmp, a stored password: who", inject: overheard, args: "db:who", says: "", after: heardNothing},
	fault{name: "a neighbour's socket in /tmp, a stored password: a dry cleanup", inject: overheard, act: whateverExit("db:cleanup -dry"), says: "slot", after: heardNothing},
	fault{name: "a neighbour's socket in /tmp, a stored password: limits", inject: overheard, args: "db:limits", exit: 1, says: "slot", after: heardNothing},
	fault{name: "a neighbour on the port asks for the password in clear", inject: func(s *scene) {
		heard := filepath.Join(s.dir, "heard")
		s.home(".pgpass", "*:*:*:*:"+s.secret("stored"))
		s.env["DATABASE_URL"] = fmt.Sprintf("postgresql://app@127.0.0.1:%d/shop?connection_limit=1&connect_timeout=2", s.listen(asksForPassword(heard)))
	}, args: "db:test", exit: 1, says: "is not sent so to whoever has the port", after: func(s *scene) {
		if text, _ := os.ReadFile(filepath.Join(s.dir, "heard")); len(text) > 0 {
			s.Errorf("a stored password went to %q", text)
		}
	}},
)

// planted is a full server whose application has operators in its search_path
// that make it a superuser where a superuser uses them.
func planted(s *scene) {
	s.own(pgserver.DisposableOptions{MaxConnections: 21})
	s.database.Hostile("evil, public, pg_catalog")
	s.env["DBTASKS_ADMIN_URL"] = s.database.AdminURL()
	s.leak, _ = s.db().Fill("leak")
}

func notSuperuser(s *scene) {
	if s.database.OwnerIsSuperuser() {
		s.Error("the application's role is a superuser now")
	}
}

// overheard is a full server, a stored password for its superuser, and a socket
// in /tmp with the name that the server's own could have there.
func overheard(s *scene) {
	full(s)
	s.home(".pgpass", "*:*:*:*:"+s.secret("stored"))
	path := fmt.Sprintf("/tmp/.s.PGSQL.%d", s.server.Port)
	s.Cleanup(func() { _ = os.Remove(path) })
	heard := filepath.Join(s.dir, "heard")
	s.must(os.WriteFile(heard, nil, 0o666))
	s.must(os.Chmod(heard, 0o666))
	_, node := programs(s.T)
	s.startAs(s.neighbourAccount(), "/", "overhear", exec.Command(node, "server.js"), "SOCKET="+path, "HEARD="+heard)
}

// whateverExit is for a target that can do its work for one account and not for
// another: what counts is what else came of it.
func whateverExit(args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		o := s.run(strings.Fields(args)...)
		o.code = 0
		return o
	}
}

// heardNothing: whether there is a password to send is told before a word of the
// login is.
func heardNothing(s *scene) {
	if text, err := os.ReadFile(filepath.Join(s.dir, "heard")); err != nil || len(text) > 0 {
		s.Errorf("the neighbour heard %q (%v)", text, err)
	}
}

// home writes a file of the user's own, readable for nobody else.
func (s *scene) home(name, text string) {
	s.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, "home", name), []byte(text+"\n"), 0o600))
}

// asksForPassword is a server that asks each client for its password as it is,
// and writes down what it gets.
func asksForPassword(heard string) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		if startup(c) != nil {
			return
		}
		buf := make([]byte, 4096)
		_, _ = io.WriteString(c, "R\x00\x00\x00\x08\x00\x00\x00\x03")
		if n, err := c.Read(buf); err == nil && n > len("p\x00\x00\x00\x05\x00") {
			_ = os.WriteFile(heard, buf[:n], 0o600)
		}
		refusal, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "no", Routine: "auth_failed"}).Encode(nil)
		_, _ = c.Write(refusal)
	}
}

// overhearMain listens on SOCKET, asks for passwords in clear, and writes what
// it is told to HEARD.
func overhearMain([]string) int {
	l, err := net.Listen("unix", os.Getenv("SOCKET"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer l.Close()
	_ = os.Chmod(os.Getenv("SOCKET"), 0o777)
	fmt.Println("listening")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // whoever leaves it behind fails
	defer cancel()
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if n > 0 {
					if f, err := os.OpenFile(os.Getenv("HEARD"), os.O_APPEND|os.O_WRONLY, 0); err == nil {
						_, _ = f.Write(buf[:n])
						_ = f.Close()
					}
				}
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, "R\x00\x00\x00\x08\x00\x00\x00\x03")
			}
		}()
	}
}
