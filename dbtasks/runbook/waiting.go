package runbook

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// waitShown is how long a wait is silent.
const waitShown = time.Second

// waiting says what is waited for once that takes longer than a second: on a
// terminal with the time since, in one line that is taken away when it is
// done; elsewhere in a single line. The wait ends with the first call of done.
func (d *Runbook) waiting(format string, args ...any) (done func()) {
	if d.out == nil {
		return func() {}
	}
	w := wait{out: d.out, terminal: d.terminal, what: plain.Sprintf(format, args...), began: time.Now(), over: make(chan struct{})}
	w.running.Go(w.show)
	return sync.OnceFunc(func() {
		close(w.over)
		w.running.Wait()
	})
}

type wait struct {
	out      io.Writer
	terminal bool
	what     string
	began    time.Time
	over     chan struct{}
	running  sync.WaitGroup
}

func (w *wait) show() {
	tick := time.NewTicker(waitShown)
	defer tick.Stop()
	for shown := false; ; shown = true {
		select {
		case <-w.over:
			if shown && w.terminal {
				fmt.Fprint(w.out, "\r\x1b[K")
			}
			return
		case <-tick.C:
		}
		switch {
		case w.terminal:
			fmt.Fprintf(w.out, "\r\x1b[K%s … %d s", w.what, int(time.Since(w.began).Seconds()))
		case !shown:
			fmt.Fprintf(w.out, "%s …\n", w.what)
		}
	}
}
