package machine

import (
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// IsBackend tells whether a process is a child of PostgreSQL's own. It may be
// wrong about what only calls itself postgres: such a process is left out of
// what is shown, and nothing is done to it.
func (m *Machine) IsBackend(pid int) bool {
	p, _ := m.Table.Process(pid)
	parent, _ := m.Table.Process(p.PPID)
	return underPostgres(p, parent)
}

func underPostgres(p, parent hostops.Process) bool {
	return p.Name == "postgres" && parent.Name == "postgres"
}

// Postmasters are the processes that run a PostgreSQL server: called postgres,
// with children called so, and not under such a one themselves. Where the
// executable may be looked at, it has to be PostgreSQL's too. Those of
// containers are among them: their processes are this machine's.
func (m *Machine) Postmasters() []hostops.Process {
	var list []hostops.Process
	for _, p := range m.Table.All() {
		if p.Name != "postgres" || m.IsBackend(p.PID) || p.State == hostops.Zombie {
			continue
		}
		if !slices.ContainsFunc(m.Table.Children(p.PID), func(c hostops.Process) bool { return c.Name == "postgres" }) {
			continue
		}
		if p = m.Table.Detail(p.PID); p.Exe == "" || hostops.KindOf(p) == hostops.Postgres {
			list = append(list, p)
		}
	}
	return list
}

// Postmaster is the process above one of PostgreSQL's, itself where it is one.
func (m *Machine) Postmaster(pid int) (hostops.Process, bool) {
	p := m.Process(pid)
	if parent := m.Process(p.PPID); underPostgres(p, parent) {
		p = parent
	}
	return p, p.PID != 0 && hostops.KindOf(p) == hostops.Postgres
}
