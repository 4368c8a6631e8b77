package machine

import "github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"

// InnerPID lists the processes of PostgreSQL in pid namespaces below ours,
// containers, whose pid in there is this one: as this machine numbers them.
func (m *Machine) InnerPID(inner int) []int {
	var list []int
	for _, p := range m.Table.All() {
		if p.Name != "postgres" || p.PID == inner {
			continue
		}
		if n, err := hostops.InnerPID(p.PID); err == nil && n == inner {
			list = append(list, p.PID)
		}
	}
	return list
}
