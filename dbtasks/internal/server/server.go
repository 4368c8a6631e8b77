// Package server is one PostgreSQL server: the address that it was reached at,
// what listens there, whether it is proven to run on this machine, its process
// or its container, and who is at the other ends of its sessions. It is found
// once a run; whatever is ended, restarted or named afterwards is this one.
package server

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// Kind is what accepts connections at the address.
type Kind int

const (
	// Unknown is a listener that is hidden from this user and was not proven to
	// be anything.
	Unknown Kind = iota
	// Direct is PostgreSQL itself, on the network of this machine.
	Direct
	// Forwarded is a container of this machine that publishes the address, or
	// that has it.
	Forwarded
	// Pooler is a connection pooler; the server behind it may be anywhere.
	Pooler
	// Tunnel is a program that hands connections on to somewhere else.
	Tunnel
	// Other is a program that is none of these.
	Other
	// Nothing is an address of this machine at which nobody listens.
	Nothing
	// Elsewhere is an address of another machine.
	Elsewhere
)

// Server is one server as far as it is known. Local decides what may be done
// to it: nothing is ended or restarted on a server that is not proven local,
// but what -remote allows.
type Server struct {
	Address  pgops.Address
	Kind     Kind
	Listener hostops.Process // that accepts at the address; zero: hidden from this user, or none

	// Postmaster is the server's own process; zero: not told. In a container it
	// is the process as this machine numbers it.
	Postmaster hostops.Process
	// Container is where the server runs; nil: in none, or not told.
	Container *engine.Container

	Local bool
	Proof string // why it counts as local, or why it does not; a sentence's end for people

	// Started is since when the server runs, as a session told: to the
	// microsecond, so that no two servers share it. Zero without a session.
	Started time.Time

	// Others are servers that listen on the same port at other addresses of
	// this machine, for people.
	Others []string

	// Trouble is why an engine that might know more could not be asked, in its
	// own words; empty: it was asked, or there was no need.
	Trouble string

	relay  relay
	uid    int // the account that listens; -1: not told
	behind int // port of the server behind a pooler; 0: none
}

// String names the server for people.
func (s *Server) String() string {
	text := s.Address.String()
	switch {
	case s.Container != nil:
		text += fmt.Sprintf(" (%s)", s.Container)
	case s.Listener.PID != 0:
		text += fmt.Sprintf(" (listener: %s, pid %d)", s.Listener.Name, s.Listener.PID)
	case s.Postmaster.PID != 0:
		text += fmt.Sprintf(" (PostgreSQL, pid %d)", s.Postmaster.PID)
	}
	return text
}

// Port is the port that the server's clients are connected to.
func (s *Server) Port() int {
	if s.behind != 0 {
		return s.behind
	}
	return s.Address.Port()
}

// Look tells what can be told of the server at an address without talking to
// it.
func Look(m *machine.Machine, a pgops.Address) *Server {
	s := &Server{Address: a, uid: -1}
	if a.IsZero() {
		s.Kind, s.Proof = Elsewhere, "its host does not resolve to an address"
		return s
	}
	if a.IsUnix() {
		s.lookAtSocket(m)
		return s
	}
	s.nameOthers(m)
	if !hostops.LocalAddress(a.TCP.Addr()) {
		s.Kind, s.Proof = Elsewhere, fmt.Sprintf("%s is not an address of this machine", a.TCP.Addr())
		return s
	}
	listeners := m.ListenersAt(a.TCP)
	if len(listeners) == 0 {
		s.Kind, s.Proof = Nothing, fmt.Sprintf("nothing listens on port %d of %s", a.Port(), a.TCP.Addr())
		return s
	}
	s.uid = listeners[0].UID
	for _, l := range listeners {
		s.judge(m, l.PID)
		if s.Kind != Direct {
			break // of several that share the port the one that is no PostgreSQL counts
		}
	}
	return s
}

// judge takes a process that accepts at the address into account; pid 0 is one
// that is hidden from this user.
func (s *Server) judge(m *machine.Machine, pid int) {
	if pid == 0 {
		s.Kind, s.Local = Unknown, false
		s.Proof = "the process that listens belongs to another account, and what it is can't be told before a login"
		return
	}
	s.Listener = m.Process(pid)
	s.uid = s.Listener.UID
	named := fmt.Sprintf("%s (pid %d)", s.Listener.Name, pid)
	switch hostops.KindOf(s.Listener) {
	case hostops.Postgres:
		s.Kind = Direct
		s.Postmaster, _ = m.Postmaster(pid)
		s.Local, s.Proof = true, fmt.Sprintf("PostgreSQL listens there on this machine (pid %d)", pid)
	case hostops.Forwarder:
		s.Kind, s.Local = Unknown, false
		s.Proof = named + " listens there, which forwards to a container, and which one was not told"
	case hostops.Pooler:
		s.Kind, s.Local = Pooler, false
		s.Proof = named + " listens there, and the server behind it may be anywhere"
	case hostops.Tunnel:
		s.Kind, s.Local = Tunnel, false
		s.Proof = named + " listens there, which leads elsewhere"
	default:
		s.Kind, s.Local = Other, false
		s.Proof = named + " listens there, which is no PostgreSQL of this machine"
	}
}

// lookAtSocket asks the kernel who listens behind a Unix socket: that is told
// to everybody who may open it, with no login and with every slot taken.
func (s *Server) lookAtSocket(m *machine.Machine) {
	peer, err := hostops.PeerCred(s.Address.Socket)
	if err != nil {
		s.Kind, s.Proof = Nothing, fmt.Sprintf("who listens behind %s can't be told: %s", s.Address.Socket, err)
		return
	}
	s.uid = peer.UID
	if peer.PID == 0 {
		s.judge(m, 0)
		return
	}
	s.judge(m, peer.PID)
}

// Beside lists the addresses of this machine at which another program listens on
// the same port, where the URL's host is a name: an address can't be mistaken.
func Beside(ctx context.Context, a pgops.Address) []string {
	if _, err := netip.ParseAddr(a.Host.Name); err == nil || a.IsUnix() || a.IsZero() {
		return nil
	}
	sockets, err := hostops.ReadTCP(ctx)
	if err != nil {
		return nil
	}
	own, others := split(sockets.Listeners(), a.TCP)
	if len(own) > 0 && len(others) > 0 {
		// A server may listen at several addresses: only who holds the sockets
		// tells, and that takes a pass over all processes.
		if sockets, err = hostops.ReadSockets(ctx); err != nil {
			return nil
		}
		own, others = split(sockets.Listeners(), a.TCP)
	}
	list := []string{}
	for _, l := range strangers(own, others) {
		list = append(list, l.Addr.String())
	}
	return list
}

// split are the listeners at an address itself, and those at other addresses
// with the same port; wildcards are neither: they leave out what is bound more
// closely.
func split(listeners []hostops.Listener, addr netip.AddrPort) (own, others []hostops.Listener) {
	for _, l := range listeners {
		switch {
		case l.Addr.Port() != addr.Port():
		case l.Addr == addr:
			own = append(own, l)
		case !l.Addr.Addr().IsUnspecified():
			others = append(others, l)
		}
	}
	return own, others
}

// strangers are those of other listeners that are known to be another program's
// than own: another process, or, where that is hidden, another account's.
func strangers(own, others []hostops.Listener) []hostops.Listener {
	known := func(l hostops.Listener) bool {
		return slices.ContainsFunc(own, func(o hostops.Listener) bool {
			if l.PID != 0 && o.PID != 0 {
				return l.PID == o.PID
			}
			return l.UID < 0 || o.UID < 0 || l.UID == o.UID
		})
	}
	seen := map[netip.AddrPort]bool{}
	return slices.DeleteFunc(slices.Clone(others), func(l hostops.Listener) bool {
		again := seen[l.Addr]
		seen[l.Addr] = true
		return len(own) == 0 || again || known(l)
	})
}

// nameOthers lists the servers beside this one: same port, another address.
func (s *Server) nameOthers(m *machine.Machine) {
	_, others := split(m.ListenersOn(s.Address.Port()), s.Address.TCP)
	for _, l := range strangers(m.ListenersAt(s.Address.TCP), others) {
		who := "a process of another account"
		if l.PID != 0 {
			p := m.Process(l.PID)
			who = fmt.Sprintf("%s, pid %d", p.Name, p.PID)
		}
		s.Others = append(s.Others, fmt.Sprintf("%s (%s)", l.Addr, who))
	}
}

// Is tells whether two values are the same server: the same container, or the
// same process since the same start.
func (s *Server) Is(other *Server) bool {
	if s.Container != nil && other.Container != nil {
		return s.Container.ID == other.Container.ID
	}
	return s.Postmaster.PID != 0 && s.Postmaster.Identity == other.Postmaster.Identity
}

// contained tells whether the server runs in a container, known by name or not.
func (s *Server) contained() bool { return s.Container != nil || containerOf(s.Postmaster.PID) != "" }

// MaySignal tells whether this user may signal the server's processes. Those of
// a container are signalled from within alone.
func (s *Server) MaySignal() bool {
	return s.Postmaster.PID != 0 && !s.contained() && (os.Geteuid() == 0 || s.Postmaster.Mine())
}
