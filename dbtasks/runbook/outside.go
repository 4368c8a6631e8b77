package runbook

import (
	"context"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// sceneWithoutSession is the server of the URL as it can be proven without a
// login: by the process that answers, or the container engine's word.
func sceneWithoutSession(ctx context.Context, rb *Runbook) (scene, error) {
	m, err := machine.Look(ctx)
	if err != nil {
		return scene{}, err
	}
	address, err := rb.pool.Pin().Reach(ctx)
	if err != nil {
		address = firstAddress(ctx, rb)
	}
	rb.pool.Pin().Release()
	srv := server.Look(m, address)
	srv.ProveWithoutSession(ctx, m)
	return scene{Machine: m, srv: srv, root: projectRoot(rb)}, nil
}

// firstAddress is the address that a URL's login would be tried at first; zero
// where its host does not resolve.
func firstAddress(ctx context.Context, rb *Runbook) pgops.Address {
	host := rb.pool.URL().Hosts[0]
	if list, err := pgops.Resolve(ctx, host); err == nil && len(list) > 0 {
		return list[0]
	}
	return pgops.Address{Host: host}
}

// whoWithoutSession tells who holds the connections from the operating system
// alone: the titles of the server's processes, and the sockets.
func whoWithoutSession(ctx context.Context, rb *Runbook, refusal *Failure) (WhoReport, error) {
	sc, err := sceneWithoutSession(ctx, rb)
	if err != nil {
		return WhoReport{}, err
	}
	sessions := sc.seenFromOutside(rb)
	if len(sessions) == 0 {
		return WhoReport{}, refusal
	}
	r := WhoReport{OK: true, Target: targetOf(rb.pool.URL(), sc.srv), Route: RouteOutside, Sessions: []WhoSession{}, Blockers: []Blocker{}, Refusal: refusal.Message}
	if pgops.Cause(refusal.Code) == pgops.CausePoolerLimit {
		sc.bouncer = askBouncer(ctx, rb, sc.Machine)
	}
	r.fill(ctx, sc, sessions)
	r.addBouncer(ctx, sc, rb)
	return r, nil
}

// seenFromOutside are the sessions of the server as its processes' titles tell
// them, or, where its process is not known or titles are off, its clients' ends
// alone. This is to be shown, and never to be signalled.
func (sc scene) seenFromOutside(rb *Runbook) []pgops.Session {
	url := rb.pool.URL()
	var list []pgops.Session
	for _, b := range sc.srv.Backends(sc.Machine) {
		list = append(list, b.Session(url.User, url.Database))
	}
	if len(list) > 0 {
		return list
	}
	for i, end := range sc.srv.ClientEnds(sc.Machine) {
		// They have no backend to be named by: a number that no process has
		// stands for it here, and is not shown.
		list = append(list, pgops.Session{PID: -1 - i, State: pgops.StateHidden, ClientAddr: end.Addr().String(), ClientPort: int(end.Port())})
	}
	return list
}
