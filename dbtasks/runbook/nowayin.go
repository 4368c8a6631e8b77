package runbook

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// noWayIn is the failure of a run that no rung of the ladder let in: who holds
// the slots, what was tried, and the one command that works for this user on
// this server.
func noWayIn(ctx context.Context, rb *Runbook, sc scene, doors *reserved, o openOptions, refused error) error {
	f := loginFailure(rb, rb.pool.URL(), refused)
	f.Details = append(f.Details, doors.tried...)
	if sc.srv.Trouble != "" {
		f.Details = append(f.Details, sc.srv.Trouble)
	}
	list := sc.nameHolders(ctx, f, sc.seenFromOutside(rb))
	if pgops.CauseOf(refused) == pgops.CausePoolerLimit || sc.srv.Kind == server.Pooler {
		f.Next = "set DIRECT_URL in .env to the server behind the pooler, then: " + rb.Command(o.caller)
		return f
	}
	f.Next = nextWithoutSlot(ctx, rb, sc, list, o.caller)
	return f
}

// nextWithoutSlot prefers what needs no more rights than this user has: this
// project's dev servers give their slots back when they are stopped, another
// process of the user's own when it is ended; what another account's server
// needs is root, and no restart.
func nextWithoutSlot(ctx context.Context, rb *Runbook, sc scene, holders []Source, caller string) string {
	stop, err := planStop(ctx, rb, StopOptions{})
	if err == nil {
		for _, h := range holders {
			if slices.ContainsFunc(stop.Plan, func(p StopItem) bool { return p.PID == h.PID }) {
				return rb.Command("dev:recover") // stops this project's dev servers
			}
		}
	}
	mine := slices.IndexFunc(holders, func(h Source) bool {
		return h.PID != 0 && h.PID != os.Getpid() && sc.Process(h.PID).Mine() && !h.Pooler
	})
	foreign := sc.srv.Local && os.Geteuid() > 0 && !sc.srv.MaySignal()
	switch {
	case mine >= 0 && (holders[mine].Ours || !foreign):
		return fmt.Sprintf("kill %d   (it is yours, no dev server of this project, and holds %d of them), then: %s", holders[mine].PID, holders[mine].Count, rb.Command(caller))
	case foreign:
		return fmt.Sprintf("sudo %s %s   (frees a slot as the server's account; restarts nothing)", rb.elevated(), caller)
	}
	return "restart PostgreSQL your way, or ask whoever may: " + rb.Command("dev:recover -dry") + " shows what this tool could do"
}

// elevated is this program as sudo finds it: mage and npm would build or look
// for things as root, so the compiled runbook itself is named then.
func (d *Runbook) elevated() string {
	if exe, err := os.Executable(); err == nil && (!strings.Contains(d.name, string(filepath.Separator)) || strings.Contains(d.name, " ")) {
		return plain.Word(exe)
	}
	return d.name
}
