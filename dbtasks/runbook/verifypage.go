package runbook

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// How long the dev server has for its first page, and to evaluate a module
// again: the first compilation of a Next.js page takes its time. A page that
// fails may still be compiled. A port that it was not given may be that of
// something that a dev script runs beside: its own has a head start.
const (
	firstPage   = 60 * time.Second // since it last said something: a compiler on a busy machine takes longer
	mostForPage = 4 * time.Minute
	evaluatedIn = 20 * time.Second
	staticFor   = 5 * time.Second // where the dev script says that nothing is evaluated again
	failingPage = 15 * time.Second
	otherPort   = 3 * time.Second
)

// awaitPage asks until the page is there. A server that was started is asked
// where its own processes listen, and nobody else is: at the port that it was
// given, else at its framework's own (Astro and React Router ignore PORT), else
// at another.
func (s *provedServer) awaitPage(ctx context.Context, rb *Runbook) error {
	defer rb.waiting("waiting for %s", s.url)()
	status := 0
	var failing, listening time.Time // since when
	began, heard, size := time.Now(), time.Now(), int64(0)
	for time.Since(heard) < firstPage && time.Since(began) < mostForPage {
		if now := s.said(); now != size {
			heard, size = time.Now(), now
		}
		places := []netip.AddrPort{{}}
		if s.started {
			if err := s.dead(rb, "before it answered"); err != nil {
				return err
			}
			var err error
			if places, err = s.places(ctx); err != nil {
				return err
			}
		}
		switch {
		case len(places) == 0:
			status = 0
		case listening.IsZero():
			listening = time.Now()
		}
		for _, at := range places {
			if s.started && s.rank(at) != rankGiven && time.Since(listening) < otherPort {
				continue
			}
			s.listensAt(at)
			if status = s.get(ctx); status >= 200 && status < 400 {
				if s.started && s.rank(at) != rankGiven {
					rb.progress("it listens on port %d", at.Port())
				}
				return nil
			}
			if status >= 400 && status < 500 && (!s.started || s.rank(at) != rankOther) {
				return s.noPage(ctx, rb, status)
			}
		}
		switch {
		case !s.started && status == 0:
			return s.noPage(ctx, rb, status)
		case status < 500:
			failing = time.Time{}
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > failingPage:
			return s.noPage(ctx, rb, status)
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
	return s.noPage(ctx, rb, status)
}

// awaitAnswer waits until a server that was started listens again: one that
// restarts at a change is gone for a moment. What it answers then is counted.
func (s *provedServer) awaitAnswer(ctx context.Context, rb *Runbook) error {
	for deadline := time.Now().Add(evaluatedIn); s.started && s.get(ctx) == 0 && time.Now().Before(deadline); {
		if err := s.dead(rb, "during the proof"); err != nil {
			return err
		}
		places, err := s.places(ctx)
		if err != nil {
			return err
		}
		for _, at := range places {
			if at.Port() == s.at.Port() {
				s.listensAt(at)
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// noPage is why the page proves nothing.
func (s *provedServer) noPage(ctx context.Context, rb *Runbook, status int) error {
	what := fmt.Sprintf("answers %d", status)
	if status == 0 {
		what = "does not answer"
	}
	f := &Failure{Exit: ExitNotDone, Code: "no_page", Message: fmt.Sprintf("%s %s: nothing is proven.", s.url, what), Details: s.tail(),
		Next: "give a page that works and queries the database: " + rb.Command("dev:verify -url=/path/of/it")}
	if status == 0 && s.started {
		f.Next = "see what it says: " + rb.Command("dev:start")
		if m, err := machine.Look(ctx); err == nil {
			for _, l := range m.ListenersOn(s.port) {
				f.Details = append([]string{fmt.Sprintf("port %d is not this dev server's: %s listens there", s.port, holder(m, l))}, f.Details...)
				f.Next = rb.Command("dev:stop -dry") + " shows who holds the ports"
			}
		}
	} else if status == 0 {
		f.Next = rb.Command("dev:verify") + " starts the dev server itself"
	}
	return f
}

// The order in which the places of a started server are asked.
const (
	rankGiven = iota // the port that it was given
	rankUsual        // its framework's own
	rankOther
)

func (s *provedServer) rank(at netip.AddrPort) int {
	switch int(at.Port()) {
	case s.port:
		return rankGiven
	case s.usual:
		return rankUsual
	}
	return rankOther
}

// places are where the processes of the dev server listen, the likeliest first.
// One in a container has a forwarder at the port that it was given, which may be
// root's and hidden from this user.
func (s *provedServer) places(ctx context.Context) ([]netip.AddrPort, error) {
	m, err := machine.Look(ctx)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for _, l := range m.Sockets.Listeners() {
		if l.PID != 0 && s.owns(m.Table, l.PID) {
			list = append(list, reachable(l.Addr))
		}
	}
	if len(list) == 0 {
		for _, l := range m.ListenersOn(s.port) {
			if l.PID == 0 && l.UID <= 0 || hostops.KindOf(m.Process(l.PID)) == hostops.Forwarder {
				list = append(list, reachable(l.Addr))
			}
		}
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Or(s.rank(a)-s.rank(b), int(a.Port())-int(b.Port()), a.Compare(b))
	})
	return slices.Compact(list), nil
}

// reachable is the address to connect to of one that is bound.
func reachable(bound netip.AddrPort) netip.AddrPort {
	switch {
	case !bound.Addr().IsUnspecified():
		return bound
	case bound.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), bound.Port())
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), bound.Port())
}

// listensAt has the page asked for at this address; at the zero one wherever
// its URL leads.
func (s *provedServer) listensAt(at netip.AddrPort) {
	if s.at = at; at.IsValid() {
		s.listensOn(int(at.Port()))
	}
}

func (s *provedServer) listensOn(port int) {
	s.url = fmt.Sprintf("http://localhost:%d%s", port, s.path)
}

// dial connects to the very address where the dev server was found: "localhost"
// may be another's on the same port. Redirects elsewhere go elsewhere.
func (s *provedServer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.at.IsValid() && address == net.JoinHostPort("localhost", strconv.Itoa(int(s.at.Port()))) {
		address = s.at.String()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// ownAnswers refuses a page of a server that is another project's.
func (s *provedServer) ownAnswers(ctx context.Context, rb *Runbook, page *url.URL) error {
	addresses, err := new(net.Resolver).LookupNetIP(ctx, "ip", page.Hostname())
	if err != nil {
		return nil // asking it will say so
	}
	port, err := strconv.Atoi(cmp.Or(page.Port(), map[string]string{"http": "80", "https": "443"}[page.Scheme]))
	if err != nil {
		return nil
	}
	m, err := machine.Look(ctx)
	if err != nil {
		return err
	}
	var others []string
	for _, a := range addresses {
		if !hostops.LocalAddress(a) {
			return nil // another machine's: whose it is can't be told
		}
		for _, l := range m.ListenersAt(netip.AddrPortFrom(a.Unmap(), uint16(port))) {
			if p := m.Process(l.PID); l.PID == 0 || hostops.KindOf(p) != hostops.Other || m.Whose(p, s.root) != machine.Another {
				return nil
			}
			others = append(others, holder(m, l))
		}
	}
	if len(others) == 0 {
		return nil
	}
	return &Failure{Exit: ExitNotDone, Code: "foreign_server", Message: fmt.Sprintf("%s is not this project's: %s listens there. Nothing is proven.", page.Host, strings.Join(slices.Compact(others), " and ")),
		Next: rb.Command("dev:verify") + " starts this project's own dev server"}
}

// holder is who listens, for people.
func holder(m *machine.Machine, l hostops.Listener) string {
	if l.PID == 0 {
		return "a process of another user"
	}
	p := m.Process(l.PID)
	words := fmt.Sprintf("%s (pid %d", p.Command(), p.PID)
	if p.Dir != "" {
		words += ", " + tilde(p.Dir)
	}
	return words + ")"
}

// dead is a failure when the server that was started has ended.
func (s *provedServer) dead(rb *Runbook, when string) error {
	select {
	case <-s.ended:
		return &Failure{Exit: ExitNotDone, Code: "no_server", Message: fmt.Sprintf("The dev server ended %s: nothing is proven.", when), Details: s.tail(), Next: rb.Command("dev:start")}
	default: // it runs, or was not started by us: then ended is nil
		return nil
	}
}

// askUntil asks for the page until done, or the time for it is over.
func (s *provedServer) askUntil(ctx context.Context, rb *Runbook, within time.Duration, done func() bool) error {
	for deadline := time.Now().Add(within); !done() && time.Now().Before(deadline); {
		s.get(ctx)
		if done() {
			break
		}
		if err := s.dead(rb, "during the proof"); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// owns tells whether a process is of this dev server: of the tree that was
// started, or, with -url, of this project.
func (s *provedServer) owns(table *hostops.Table, pid int) bool {
	if !s.started {
		return machine.Within(table.Detail(pid).Dir, s.root)
	}
	started := int(s.pid.Load())
	if pid == started {
		return true
	}
	for _, up := range table.Ancestors(pid) {
		if up.PID == started {
			return true
		}
	}
	return false
}
