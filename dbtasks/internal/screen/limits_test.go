package screen

import (
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestLimitsKeepsTo80ColumnsButForWhatIsToBeCopied(t *testing.T) {
	t.Parallel()
	statement := `ALTER ROLE "application" IN DATABASE "development_of_the_shop" SET idle_in_transaction_session_timeout = '5min';`
	r := runbook.LimitsReport{OK: true, PoolLimit: 5, Processes: 4, Wanted: 20, Available: 17, Usable: 17, Slots: pgops.Slots{Max: 20, SuperuserReserved: 3, Used: 17},
		Timeouts: []pgops.Timeout{{Name: pgops.IdleInTransaction, Source: "hidden behind this login's own"}},
		Sources:  []runbook.Source{{PID: 4242, Command: "node /home/me/projects/shop/node_modules/.bin/vite dev --port 3000", Dir: "/home/me/projects/shop", Count: 4, Idle: 4}},
		Advice:   []runbook.Advice{{Do: statement, Why: strings.Repeat("a reason ", 30)}}}
	var out strings.Builder
	New(&out).Limits(r)
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if len([]rune(line)) > 80 && !strings.Contains(line, statement) {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
	}
	if first, _, _ := strings.Cut(out.String(), "\n"); !strings.HasPrefix(first, "17 of 17 usable slots in use") {
		t.Errorf("the first line is not the outcome: %s", first)
	}
	if !strings.Contains(out.String(), "1. "+statement+"\n") {
		t.Errorf("the statement is not on a line of its own:\n%s", out.String())
	}
}
