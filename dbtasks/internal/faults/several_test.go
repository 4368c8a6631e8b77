//go:build linux

package faults

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// severalFaults: several of us at once.
var severalFaults = []fault{
	{name: "20 cleanups at once", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{MaxConnections: 60})
		s.leak = s.db().Open(10, "leak")
	}, act: atOnceRun(20, "db:cleanup"), says: "all gone", bound: 30 * time.Second, after: freed},
	{name: "20 cleanups at once of a full server", inject: func(s *scene) { full(s); s.admin() }, act: atOnceRun(20, "db:cleanup"), says: "all gone", bound: 30 * time.Second, after: freed},
	{name: "two recovers at once", inject: func(s *scene) { full(s); s.admin() }, act: atOnceRun(2, "dev:recover -start=false"), says: "ok    cleanup", bound: 20 * time.Second, after: freed},
	{name: "two stops at once", inject: func(s *scene) { s.devServer("CHILDREN=5") }, act: atOnceRun(2, "dev:stop"), says: "gone"},
	{name: "a recover during a start", inject: serving, act: duringStart("dev:recover -start=false"), says: "ok    stop", bound: 20 * time.Second},
	{name: "a stop during a start", inject: serving, act: duringStart("dev:stop"), says: "Stopped", bound: 20 * time.Second},
	{name: "a start during a start", inject: serving, act: duringStart("dev:start"), exit: 1, says: "port", bound: 20 * time.Second},
	{name: "a cleanup -force during a monitor", act: func(s *scene) outcome {
		stop := s.background("db:monitor -every=100ms", "sessions")
		defer stop()
		return s.run("db:cleanup", "-force")
	}, says: "spared"},
}

// atOnceRun runs a target n times at once; the worst outcome is the row's.
func atOnceRun(n int, args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = fmt.Sprintf("%s (%d times)", args, n)
		var mu sync.Mutex
		var wg sync.WaitGroup
		var all outcome
		for range n {
			wg.Go(func() {
				o := s.run(strings.Fields(args)...)
				mu.Lock()
				defer mu.Unlock()
				all.code = max(all.code, o.code)
				all.stdout += o.stdout
				all.stderr += o.stderr
			})
		}
		wg.Wait()
		return all
	}
}

// duringStart runs a target while dev:start serves; that must end by itself
// when its server is stopped, and go on when it is not.
func duringStart(args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		stop := s.background("dev:start", "listening")
		defer stop()
		return s.run(strings.Fields(args)...)
	}
}

// background runs a target until it has said these words; stop ends it with TERM.
func (s *scene) background(args, words string) (stop func()) {
	cmd, _, _ := s.command(strings.Fields(args)...)
	s.output = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	s.must(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.eventually(args+" says "+words, func() bool { return s.said(words) })
	return func() {
		_ = cmd.Process.Signal(terminate)
		s.outcome(<-done, s.output.text(), s.empty())
	}
}
