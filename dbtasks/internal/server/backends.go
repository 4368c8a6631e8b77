package server

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// Backend is a process of the server that serves a client, as its title tells:
// what is known without a login. Titles are there for every account to read.
type Backend struct {
	Process hostops.Process
	Title   pgserver.Title
	inner   int // its pid as the server has it
}

// Backends lists the children of the server's process that serve clients,
// oldest first; none where the server's process is not known.
func (s *Server) Backends(m *machine.Machine) []Backend {
	if s.Postmaster.PID == 0 {
		return nil
	}
	children := m.Table.Children(s.Postmaster.PID)
	titles := make([]string, len(children))
	for i, c := range children {
		titles[i] = c.Title()
	}
	prefix := pgserver.ClusterPrefix(titles)
	var list []Backend
	for _, c := range children {
		title, ok := pgserver.ParseTitle(c.Title(), prefix)
		if !ok {
			continue
		}
		b := Backend{Process: c, Title: title, inner: c.PID}
		if s.contained() {
			n, err := hostops.InnerPID(c.PID)
			if err != nil {
				continue // it has ended
			}
			b.inner = n
		}
		list = append(list, b)
	}
	// One that is logging in, as our own refused login was, is no session yet;
	// where titles are off none tells more.
	if slices.ContainsFunc(list, Backend.StateTold) {
		list = slices.DeleteFunc(list, func(b Backend) bool { return !b.StateTold() })
	}
	slices.SortFunc(list, func(a, b Backend) int { return int(a.Process.Started - b.Process.Started) })
	return list
}

// StateTold tells whether the title says what the backend does. With
// update_process_title=off a backend keeps the title that it began with
// (measured on PostgreSQL 15): names and address, and the state of its login.
func (b Backend) StateTold() bool {
	switch b.Title.State {
	case "", "startup", "authentication", "initializing":
		return false
	}
	return true
}

// Session is what the title tells of the session. Role and database are told
// where the names can be cut in one way only; role and database are the pair
// that the caller knows.
func (b Backend) Session(role, database string) pgops.Session {
	s := pgops.Session{PID: b.inner, State: pgops.State(b.Title.State), ClientPort: -1}
	if !b.StateTold() {
		s.State = pgops.StateHidden
	}
	if b.Title.Port != "" {
		s.ClientPort, _ = strconv.Atoi(b.Title.Port)
	}
	if addr, err := netip.ParseAddr(b.Title.Addr); err == nil {
		s.ClientAddr = addr.Unmap().String()
	}
	if ofRole, ok := b.Title.Of(role, database); ok {
		s.Role, s.Database = ofRole, database
	} else if r, d, ok := b.Title.Pair(); ok {
		s.Role, s.Database = r, d
	}
	return s
}
