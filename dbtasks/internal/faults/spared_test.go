//go:build linux

package faults

import (
	"net"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// sparedFaults: whom a wrong step would cost his work: other databases on the
// same server, other runs of the tool, and who is idle for a moment only.
var sparedFaults = append(asBoth(
	fault{name: "another database is at work: the plan names it", inject: othersAtWork, args: "dev:recover -start=false -dry", says: "a restart ends", after: atWork},
	fault{name: "another database is at work: no restart by itself", inject: othersAtWork, args: "dev:recover -start=false", exit: 1, says: "17 of them at work", after: atWork},
	fault{name: "another database is at work: cleanup", inject: othersAtWork, args: "db:cleanup -force", exit: 1, says: "no slot", after: atWork},
	fault{name: "no slot at all, a monitor of another run: cleanup", act: besideMonitor("db:cleanup"), says: ""},
	fault{name: "no slot at all, a monitor of another run: cleanup -force", act: besideMonitor("db:cleanup -force"), says: ""},
	fault{name: "a leak with the tool's name: cleanup", inject: namedAsTool, args: "db:cleanup", says: "Ended 3 idle sessions"},
	fault{name: "a leak with the tool's name: cleanup -force", inject: namedAsTool, args: "db:cleanup -force", says: "Ended 3 sessions"},
	fault{name: "a session that holds an advisory lock", inject: using("SELECT pg_advisory_lock(42)"), args: "db:cleanup", says: "Ended 1 idle session", after: inUse},
	fault{name: "a session that listens", inject: using("LISTEN jobs"), args: "db:cleanup", says: "Ended 1 idle session", after: inUse},
	fault{name: "a session with a temporary table", inject: using("CREATE TEMPORARY TABLE basket (n int)"), args: "db:cleanup", says: "has temporary tables", after: inUse},
	fault{name: "a session in a transaction", inject: using("BEGIN"), args: "db:cleanup", says: "Ended 1 idle session", after: inUse},
), fault{name: "no slot at all, -idle=1h", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:cleanup -idle=1h", exit: 1, says: "the reserved ones too", after: func(s *scene) { s.held(17) }},
	fault{name: "no slot at all, -idle=1h -force", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:cleanup -idle=1h -force", exit: 1, says: "the reserved ones too", after: func(s *scene) { s.held(17) }})

// othersAtWork is a server whose every slot has another database's session in a
// transaction.
func othersAtWork(s *scene) {
	s.own(pgserver.DisposableOptions{MaxConnections: 21})
	s.leak, _ = s.server.NewDatabase().Fill("elsewhere")
	for _, c := range s.leak {
		_, err := c.Exec(s.Context(), "BEGIN")
		s.must(err)
	}
	s.fillReserved()
}

func atWork(s *scene) { s.held(17) }

// besideMonitor fills a server to its last slot beside a monitor that watches
// it, and runs a target; the monitor must not notice.
func besideMonitor(args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		s.own(pgserver.DisposableOptions{MaxConnections: 21})
		stop := s.background("db:monitor -every=100ms -json", "sessions")
		watched := s.output
		s.leak, _ = s.db().Fill("leak")
		s.fillReserved()
		o := s.run(strings.Fields(args)...)
		seen := strings.Count(watched.String(), "\n")
		s.eventually("the monitor goes on", func() bool { return strings.Count(watched.String(), "\n") > seen+2 })
		stop()
		if strings.Contains(watched.String(), "session_lost") {
			s.Errorf("the monitor lost its session: %s", watched.String())
		}
		o.code = 0 // whether this account may end anything without a slot is another row's
		return o
	}
}

// namedAsTool is three sessions with the tool's application_name, held by a
// process of another program: this one logs in and hands its sockets over.
func namedAsTool(s *scene) {
	for range 3 {
		c, err := pgx.Connect(s.Context(), s.db().URL("sslmode=disable", "application_name=dbtasks"))
		s.must(err)
		raw, err := c.PgConn().Hijack()
		s.must(err)
		file, err := raw.Conn.(*net.TCPConn).File()
		s.must(err)
		cmd := exec.Command("sleep", "60")
		cmd.Stdin, cmd.Dir, cmd.SysProcAttr = file, "/", s.account.attributes()
		s.must(cmd.Start())
		s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		_ = file.Close()
		_ = raw.Conn.Close()
	}
}

// using is two idle sessions, the first of which has something that would be
// lost with it.
func using(statement string) func(*scene) {
	return func(s *scene) {
		s.leak = s.db().Open(2, "app")
		_, err := s.leak[0].Exec(s.Context(), statement)
		s.must(err)
	}
}

func inUse(s *scene) { s.answer(s.leak[:1]) }
