package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// growth is how many sessions each source had, look by look, over the last
// minute. The keys are keyOf's.
type growth struct {
	looked bool // at least once: a source that comes now was not there before
	counts map[string][]countAt
}

type countAt struct {
	at    time.Time
	count int
}

// growthWindow is what arrows and the leak's name look back over.
const growthWindow = time.Minute

// keyOf names a source for as long as it lives.
func keyOf(s runbook.Source) string {
	if s.PID != 0 {
		return fmt.Sprint(s.PID, s.Started.UnixNano())
	}
	return strings.Join([]string{strings.Join(s.Applications, ","), strings.Join(s.Roles, ","), s.Addr, fmt.Sprint(s.Dead)}, "\x00")
}

func (g *growth) add(l runbook.Look) {
	counts := map[string]int{}
	for _, s := range l.Sources {
		counts[keyOf(s)] = s.Count
		if _, known := g.counts[keyOf(s)]; !known && g.looked {
			g.counts[keyOf(s)] = []countAt{{l.Time, 0}} // it came while we watched: all of it is growth
		}
	}
	g.looked = true
	for key := range g.counts {
		if _, here := counts[key]; !here {
			delete(g.counts, key)
		}
	}
	for key, count := range counts {
		list := g.counts[key]
		if n := len(list); n > 0 && list[n-1].count-count >= max(leastLeak, list[n-1].count/5) {
			list = nil // so many were ended: what grew before is no growth any more
		}
		list = append(list, countAt{l.Time, count})
		for len(list) > 1 && l.Time.Sub(list[0].at) > growthWindow {
			list = list[1:]
		}
		g.counts[key] = list
	}
}

// of is the change of a source's sessions within the window.
func (g *growth) of(s runbook.Source) int {
	list := g.counts[keyOf(s)]
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].count - list[0].count
}

// leastLeak is the growth within the window from which a source is suspected:
// a pool of the usual size opens so many at once and then no more.
const leastLeak = 3

// leak is the source that leaks most, by what was seen: it grows, and most of
// what it holds is idle; or its reloads left pools behind. found is false
// where none does.
func (g *growth) leak(sources []runbook.Source) (leak runbook.Source, found bool) {
	for _, s := range sources {
		grows := g.of(s) >= leastLeak && 2*s.Idle >= s.Count
		if !grows && s.LeftBehind == 0 {
			continue
		}
		if !found || g.of(s) > g.of(leak) || g.of(s) == g.of(leak) && s.LeftBehind > leak.LeftBehind {
			leak, found = s, true
		}
	}
	return leak, found
}
