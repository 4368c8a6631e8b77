//go:build linux

package faults

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// secrets are the random parts of every password of the run.
var secrets secretList

type secretList struct {
	sync.RWMutex
	list []string
}

func (l *secretList) add(s string) {
	l.Lock()
	defer l.Unlock()
	l.list = append(l.list, s)
}

// in finds a secret in a text and gives what stands around it.
func (l *secretList) in(text string) (around string, found bool) {
	l.RLock()
	defer l.RUnlock()
	for _, s := range l.list {
		if i := strings.Index(text, s); i >= 0 {
			return text[max(0, i-40):i], true
		}
	}
	return "", false
}

// watcher reads the command line of every process of this machine, again and
// again while the rows run.
type watcher struct {
	end, ended chan struct{}
	seen       int // different command lines
	shown      []string
}

func watchCommandLines(t *testing.T) *watcher {
	w := &watcher{end: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		known := map[string]string{}
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for {
			w.look(known)
			select {
			case <-w.end:
				w.seen = len(known)
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *watcher) look(known map[string]string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if name := e.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil || len(text) == 0 || known[e.Name()] == string(text) {
			continue
		}
		known[e.Name()] = string(text)
		if around, shown := secrets.in(string(text)); shown {
			w.shown = append(w.shown, strings.ReplaceAll(around, "\x00", " "))
		}
	}
}

func (w *watcher) stop(t *testing.T) {
	close(w.end)
	<-w.ended
	for _, around := range w.shown {
		t.Errorf("a command line has a password: %s…", around)
	}
	if w.seen == 0 {
		t.Error("no command line was seen: the watch did not work")
	}
}
