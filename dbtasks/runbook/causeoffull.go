package runbook

import (
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// The causes of a crowded server that Diagnosis tells apart.
const (
	CauseBlocked       = "blocked"             // sessions wait for another one's lock
	CauseLeak          = "leak"                // reloads left pools behind
	CauseInTransaction = "idle_in_transaction" // transactions are held open
	CauseBurst         = "burst"               // statements of the last seconds
	CausePoolsTooLarge = "pools_too_large"     // the limits of all pools are more than the server has
	CauseNotClear      = "not_clear"
)

// Diagnosis is why the slots are taken, from what was seen.
type Diagnosis struct {
	Cause string `json:"cause"`
	Text  string `json:"text"` // one sentence, without a full stop
	next  string // the target that helps most
}

// burstAge is how old the statements of a burst are at most.
const burstAge = 10 * time.Second

// diagnose tells why more than half of the usable slots are taken, or why
// sessions wait; it is nil where neither is so. limit is the pool limit of the
// URL, 0 where it has none.
func (r *WhoReport) diagnose(limit int) *Diagnosis {
	if len(r.Blockers) > 0 {
		d := &Diagnosis{Cause: CauseBlocked, Text: r.Blockers[0].Words()}
		if b := r.Blockers[0]; !b.Prepared && b.Database == r.Target.Database {
			d.next = fmt.Sprintf("db:cleanup -pid=%d", b.PID)
		}
		return d
	}
	if r.Slots.Used*2 <= r.Usable {
		return nil
	}
	if leak := r.mostLeftBehind(); leak != nil {
		return &Diagnosis{CauseLeak, fmt.Sprintf("a leak: %d of the %d sessions of %s are of pools that a reload left behind", leak.LeftBehind, leak.Count, leak.Name()), "db:cleanup"}
	}
	inTransaction, burst := 0, 0
	var oldest time.Duration
	for _, s := range r.Sessions {
		switch {
		case s.State.InTransaction():
			inTransaction++
			oldest = max(oldest, s.Age)
		case s.State == pgops.StateActive && s.Age < burstAge:
			burst++
		}
	}
	processes := 0
	for _, s := range r.Sources {
		if s.PID != 0 && !s.Pooler {
			processes++
		}
	}
	switch {
	case inTransaction*2 > len(r.Sessions):
		return &Diagnosis{CauseInTransaction, fmt.Sprintf("%d sessions hold a transaction open and do nothing, the oldest for %s", inTransaction, plain.Age(oldest)), "db:cleanup -state=idle_in_transaction -idle=1m"}
	case burst*2 > len(r.Sessions):
		return &Diagnosis{CauseBurst, fmt.Sprintf("a burst: %d sessions run statements of the last %s, and end by themselves", burst, plain.Age(burstAge)), "db:monitor"}
	case processes > 1 && limit > 0 && processes*limit > r.Usable:
		return &Diagnosis{CausePoolsTooLarge, fmt.Sprintf("%d processes with a pool of up to %d each want more than the server has", processes, limit), "db:limits"}
	}
	return &Diagnosis{CauseNotClear, "why is not clear from here", "db:monitor"}
}

func (r *WhoReport) mostLeftBehind() (most *Source) {
	for i := range r.Sources {
		if s := &r.Sources[i]; s.LeftBehind > 0 && (most == nil || s.LeftBehind > most.LeftBehind) {
			most = s
		}
	}
	return most
}
