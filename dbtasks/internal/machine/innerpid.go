package machine

import (
	"context"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// HostPIDs lists the processes of PostgreSQL in pid namespaces below ours,
// containers, whose pid in there is this one: as this machine numbers them. It
// looks now: what is asked for is mostly a backend that was forked a moment ago.
func HostPIDs(ctx context.Context, inner int) []int {
	table, err := hostops.SnapshotBut(ctx, underPostgres)
	if err != nil {
		return nil
	}
	var list []int
	for _, p := range table.All() {
		if p.Name != "postgres" || p.PID == inner {
			continue
		}
		if n, err := hostops.InnerPID(p.PID); err == nil && n == inner {
			list = append(list, p.PID)
		}
	}
	return list
}
