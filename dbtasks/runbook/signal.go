package runbook

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// signalTimeout bounds the third rung.
const signalTimeout = 5 * time.Second

// idleBackend is a backend of this database that does nothing, by its title.
type idleBackend struct {
	process hostops.Process
	session pgops.Session
}

// idleBackends finds, without a login, the idle backends of the URL's database
// among the children of the postmaster that listens on the URL's port, oldest
// first. Where it can't, it says why.
func idleBackends(ctx context.Context, deps *Deps, target Target, cause pgops.Cause) (list []idleBackend, postmaster hostops.Process, why string) {
	if target.Listener == nil {
		return nil, postmaster, "the process that listens is hidden from this user"
	}
	if target.Listener.Kind != hostops.Postgres {
		return nil, postmaster, fmt.Sprintf("%s listens there, not PostgreSQL itself", target.Listener.Name)
	}
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return nil, postmaster, err.Error()
	}
	postmaster, ok := table.Process(target.Listener.PID)
	if !ok {
		return nil, postmaster, "the postmaster is gone"
	}
	if os.Getuid() != 0 && !postmaster.Mine() {
		return nil, postmaster, "the server runs as another account, which this user may not signal"
	}
	children := table.Children(postmaster.PID)
	prefix := clusterPrefix(children)
	url := deps.Pool.URL()
	seen, told := 0, 0
	for _, c := range children {
		title, ok := pgserver.ParseTitle(c.Title(), prefix)
		if !ok {
			continue
		}
		seen++
		if stateTold(title.State) {
			told++
		}
		role, ok := title.Of(url.User, url.Database)
		if !ok || title.State != "idle" || cause == pgops.CauseRoleLimit && role != url.User {
			continue
		}
		s := sessionOfTitle(c.PID, title)
		s.Role, s.Database = role, url.Database
		list = append(list, idleBackend{c, s})
	}
	slices.SortFunc(list, func(a, b idleBackend) int { return int(a.process.Started - b.process.Started) })
	switch {
	case len(list) > 0:
		return list, postmaster, ""
	case told == 0:
		return nil, postmaster, "the server's process titles tell no state (update_process_title=off?)"
	}
	return nil, postmaster, fmt.Sprintf("of the %d backends none is an idle one of database %q", seen, url.Database)
}

// stateTold tells whether a title's state is one. With update_process_title=off
// a backend keeps the title that it began with (measured on PostgreSQL 15):
// names and address, and no state but that of its login.
func stateTold(state string) bool {
	return state != "" && state != "startup" && state != "authentication" && state != "initializing"
}

// openBySignal is the third rung: with no slot left at all, SIGTERM to an idle
// backend of this database frees one, which is used at once, before the
// leaking process takes it again. As few as possible are signalled: one, which
// is enough for a reserved slot; then three, because any other login needs
// superuser_reserved_connections (3 unless set) beside its own; then twice as
// many, while the login is still refused. Each backend is looked at again right
// before its signal.
func openBySignal(ctx context.Context, deps *Deps, doors *reserved, cause pgops.Cause) (*access, string) {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	target := doors.target
	if target.Listener != nil && target.Listener.Kind == hostops.Forwarder {
		return openInContainer(ctx, deps, doors, cause)
	}
	signalled := 0
	for n := 1; ctx.Err() == nil; n = max(3, 2*n) {
		list, postmaster, why := idleBackends(ctx, deps, target, cause)
		if why != "" {
			// Another cleanup may have freed what this one wanted to.
			if a := seize(ctx, deps, doors); a != nil {
				return a.freedBy(signalled), ""
			}
			return nil, fmt.Sprintf("SIGTERM to an idle backend: %s (%d signalled)", why, signalled)
		}
		var sent []hostops.Process
		for _, b := range list[:min(n, len(list))] {
			if err := hostops.TerminateBackend(b.process, postmaster.Identity); err == nil {
				sent = append(sent, b.process)
				deps.progress("sent SIGTERM to idle backend %d of database %q", b.process.PID, b.session.Database)
			}
		}
		signalled += len(sent)
		awaitEnd(ctx, sent)
		if a := seize(ctx, deps, doors); a != nil {
			return a.freedBy(signalled), ""
		}
	}
	return nil, fmt.Sprintf("SIGTERM to idle backends: %d signalled, and each slot was taken again at once", signalled)
}

// awaitEnd waits until the signalled backends are gone, and so their slots free:
// a login before costs the server one more process, and is only refused.
func awaitEnd(ctx context.Context, backends []hostops.Process) {
	ctx, cancel := context.WithTimeout(ctx, seizeTimeout)
	defer cancel()
	look := time.NewTicker(time.Millisecond / 2)
	defer look.Stop()
	runs := func(p hostops.Process) bool { return !hostops.Gone(p.Identity) }
	for ctx.Err() == nil && slices.ContainsFunc(backends, runs) {
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// freedBy notes that n backends had to be signalled to get in.
func (a *access) freedBy(n int) *access {
	if n > 0 {
		a.route, a.freed = RouteSignal, n
	}
	return a
}

// seizeTimeout is how long a freed slot is fought for: measured, a signalled
// backend's slot is free within 0.2 s.
const seizeTimeout = 400 * time.Millisecond

// seize logs in by whichever door opens first.
func seize(ctx context.Context, deps *Deps, doors *reserved) *access {
	deadline := time.Now().Add(seizeTimeout)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		a, err := openURL(ctx, deps, &doors.target)
		if err == nil {
			return a
		}
		if pgops.CauseOf(err) == pgops.CauseReservedOnly {
			if a := doors.enter(ctx, pgops.CauseReservedOnly); a != nil {
				return a
			}
			return nil // an ordinary slot needs another backend to go
		}
	}
	return nil
}
