package runbook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// signalTimeout bounds the third rung: a container's engine may need seconds on
// a busy machine.
const signalTimeout = 8 * time.Second

// idleBackends finds, without a login, the idle backends of the URL's database
// among the children of this server's process, oldest first. Where it can't, it
// says why. Left out is what another run of this tool holds, what this project's
// running processes hold where these are spared, and, unless force says otherwise,
// what another project's do: it is in use.
func (sc scene) idleBackends(ctx context.Context, rb *Runbook, cause pgops.Cause, o openOptions) (list []server.Backend, why string) {
	srv := sc.srv
	switch {
	case srv.Postmaster.PID == 0:
		return nil, "the server's process is not known: " + srv.Proof
	case !srv.MaySignal() && srv.Container == nil:
		return nil, "the server runs as another account, which this user may not signal"
	}
	url := rb.pool.URL()
	all := srv.Backends(sc.Machine)
	told := 0
	for _, b := range all {
		if b.StateTold() {
			told++
		}
		role, ok := b.Title.Of(url.User, url.Database)
		if !ok || b.Title.State != "idle" || cause == pgops.CauseRoleLimit && role != url.User {
			continue
		}
		list = append(list, b)
	}
	idle := len(list)
	if idle > 0 {
		sessions := make([]pgops.Session, idle)
		for i, b := range list {
			sessions[i] = b.Session(url.User, url.Database)
		}
		clients := sc.holders(ctx, sessions)
		others := sc.heldByRuns(clients)
		if !o.force {
			others = append(others, sc.heldBy(clients, machine.Another)...)
		}
		if o.spare == SpareProject {
			others = append(others, sc.heldBy(clients, machine.Ours)...)
		}
		list = slices.DeleteFunc(list, func(b server.Backend) bool { return slices.Contains(others, b.Session(url.User, url.Database).PID) })
	}
	switch {
	case len(list) > 0:
		return list, ""
	case idle > 0:
		return nil, fmt.Sprintf("the %d idle backends of database %q are in use: held by running processes of other projects (-force ends those), of this one, or by runs of this tool", idle, url.Database)
	case told == 0:
		return nil, "the server's process titles tell no state (update_process_title=off?)"
	}
	return nil, fmt.Sprintf("of the %d backends none is an idle one of database %q", len(all), url.Database)
}

// openBySignal is the third rung: with no slot left at all, SIGTERM to an idle
// backend of this database frees one, which is used at once, before the
// leaking process takes it again. As few as possible are signalled: one, which
// is enough for a reserved slot; then three, because any other login needs
// superuser_reserved_connections (3 unless set) beside its own; then twice as
// many, while the login is still refused. Each backend is looked at again right
// before its signal.
func openBySignal(ctx context.Context, rb *Runbook, doors *reserved, cause pgops.Cause, o openOptions) (*access, string) {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	if doors.sc.srv.Container != nil && !doors.sc.srv.MaySignal() {
		return openInContainer(ctx, rb, doors, cause, o)
	}
	signalled := 0
	for n := 1; ctx.Err() == nil; n = max(3, 2*n) {
		list, why := doors.sc.idleBackends(ctx, rb, cause, o)
		if why != "" {
			// Another cleanup may have freed what this one wanted to.
			if a := seize(ctx, rb, doors); a != nil {
				return a.freedBy(signalled), ""
			}
			return nil, fmt.Sprintf("SIGTERM to an idle backend: %s (%d signalled)", why, signalled)
		}
		var sent []hostops.Process
		for _, b := range list[:min(n, len(list))] {
			if err := hostops.TerminateBackend(b.Process, doors.sc.srv.Postmaster.Identity); err == nil {
				sent = append(sent, b.Process)
				rb.progress("sent SIGTERM to idle backend %d of %s", b.Process.PID, placeOf(rb.pool.URL()).Named())
			}
		}
		signalled += len(sent)
		awaitEnd(ctx, sent)
		if a := seize(ctx, rb, doors); a != nil {
			return a.freedBy(signalled), ""
		}
		if m, err := machine.Look(ctx); err == nil {
			doors.sc.Machine = m
		}
	}
	return nil, fmt.Sprintf("SIGTERM to idle backends: %d signalled, and each slot was taken again at once", signalled)
}

// openInContainer is the third rung for a server in a container, whose
// processes are not ours to signal: idle sessions are ended from within, through
// the engine, as few as possible, until a login gets a slot. Where the
// container's processes are seen from here, those that may go are told to it by
// their pids in there.
func openInContainer(ctx context.Context, rb *Runbook, doors *reserved, cause pgops.Cause, o openOptions) (*access, string) {
	url, srv := rb.pool.URL(), doors.sc.srv
	free := engine.FreeOptions{Role: url.User, Database: url.Database, OnlyRole: cause == pgops.CauseRoleLimit, Port: srv.InsidePort()}
	freed := 0
	for n := 1; ctx.Err() == nil; n = max(3, 2*n) {
		free.Most = n
		if srv.Postmaster.PID != 0 {
			list, why := doors.sc.idleBackends(ctx, rb, cause, o)
			if why != "" {
				return nil, fmt.Sprintf("%s (%d ended inside)", why, freed)
			}
			free.PIDs = nil
			for _, b := range list {
				free.PIDs = append(free.PIDs, b.Session(url.User, url.Database).PID)
			}
		}
		how, err := srv.Container.FreeSlots(ctx, free)
		freed += len(how)
		for _, one := range how {
			rb.progress("in %s: %s", srv.Container, one)
		}
		if a := seize(ctx, rb, doors); a != nil {
			return a.freedBy(freed), ""
		}
		if err != nil {
			return nil, fmt.Sprintf("%s (%d ended)", err, freed)
		}
		if m, err := machine.Look(ctx); err == nil {
			doors.sc.Machine = m
		}
	}
	return nil, fmt.Sprintf("%s: %d idle sessions ended inside, and each slot was taken again at once", srv.Container, freed)
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
func seize(ctx context.Context, rb *Runbook, doors *reserved) *access {
	deadline := time.Now().Add(seizeTimeout)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		a, err := openURL(ctx, rb)
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
