package runbook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// scene is what a procedure judges by at one moment: this machine, the one
// server, and what its pooler tells.
type scene struct {
	*machine.Machine
	srv     *server.Server
	root    string   // of the project that this tool was called for
	bouncer *Bouncer // what PgBouncer's console tells; nil: nobody asked, or there is none
}

// scene is the session's server among what a look at the machine showed.
func (a *access) scene(ctx context.Context, rb *Runbook, m *machine.Machine) scene {
	sc := scene{Machine: m, srv: a.on(ctx, m), root: projectRoot(rb)}
	if a.pooled || poolerPossible(ctx, rb, m) {
		sc.bouncer = askBouncer(ctx, rb, m)
	}
	return sc
}

// projectRoot is the root of the whole project: that of the monorepo where the
// settings are those of one of its workspaces.
func projectRoot(rb *Runbook) string { return jsproject.WorkspaceRoot(rb.cfg.Root) }

// sceneNow looks at this machine now; without a session (nil) the server is
// proven without one.
func (a *access) sceneNow(ctx context.Context, rb *Runbook) (scene, error) {
	if a == nil {
		return sceneWithoutSession(ctx, rb)
	}
	m, err := machine.Look(ctx)
	if err != nil {
		return scene{}, err
	}
	return a.scene(ctx, rb, m), nil
}

// on finds the session's server and has the session prove it, once.
func (a *access) on(ctx context.Context, m *machine.Machine) *server.Server {
	if a.srv == nil {
		a.srv = server.Look(m, a.pin.Address())
	}
	if !a.proven {
		a.srv.Prove(ctx, m, a.conn.PgConn().Conn(), a.server, a.pooled)
		a.proven = true
	}
	return a.srv
}

// holders maps the backends of sessions to the processes of this machine at
// their other ends. What PgBouncer's console says is its own is the pooler's.
func (sc scene) holders(ctx context.Context, sessions []pgops.Session) map[int]server.Client {
	clients := sc.srv.Clients(ctx, sc.Machine, sessions)
	for _, s := range sessions {
		if _, ok := sc.bouncer.server(s); ok && sc.bouncer.PID != 0 {
			clients[s.PID] = server.Client{PIDs: []int{sc.bouncer.PID}}
		}
	}
	return clients
}

// heldBy are the backends whose clients are running processes of this project
// (machine.Ours), or of another (machine.Another). Who called this tool, and
// itself, work for nobody else; nor does a child of theirs that still shares the
// socket, as each does between fork and exec.
func (sc scene) heldBy(clients map[int]server.Client, whose machine.Owner) []int {
	var backends []int
	for backend, client := range clients {
		if whose == machine.Another && slices.ContainsFunc(client.PIDs, sc.Table.IsSelfOrAncestor) {
			continue
		}
		if slices.ContainsFunc(client.PIDs, func(pid int) bool {
			p := sc.Process(pid)
			return p.State == hostops.Running && sc.Whose(p, sc.root) == whose
		}) {
			backends = append(backends, backend)
		}
	}
	return backends
}

// mostHolders is how many processes a failure names.
const mostHolders = 8

// nameHolders adds to a failure for want of slots who holds them: the local
// processes at the client ends, by titles and sockets alone, most sessions
// first. ours tells whether a dev server or another process of this project is
// among them.
func (sc scene) nameHolders(ctx context.Context, f *Failure, sessions []pgops.Session) (list []Source) {
	list = sources(sc, sessions, sc.holders(ctx, sessions))
	hidden := 0
	for i, s := range list {
		if s.PID == os.Getpid() {
			continue
		}
		if s.PID == 0 && s.Container == "" {
			hidden += s.Count
			continue
		}
		if i >= mostHolders {
			break
		}
		whose := ""
		if s.Ours {
			whose = "; of this project"
		}
		f.Details = append(f.Details, fmt.Sprintf("%d connections held by %s%s", s.Count, s.Name(), whose))
	}
	if hidden > 0 {
		f.Details = append(f.Details, fmt.Sprintf("%d connections held by clients whose process can't be told from here", hidden))
	}
	return list
}

// sorted are pids by how many sessions each holds, most first.
func sorted(count map[int]int) []int {
	return slices.SortedFunc(maps.Keys(count), func(a, b int) int { return cmp.Or(count[b]-count[a], a-b) })
}
