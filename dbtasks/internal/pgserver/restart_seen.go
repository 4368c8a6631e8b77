package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// keeperOf is what runs a server, and how it is asked about it.
type keeperOf struct {
	words   string           // for people
	process hostops.Identity // the supervisor's own; zero: it is no process of its own
	list    Command
	parse   func(string) []running
	name    string
	started string // of the server, when the plan was made
}

func (k keeperOf) known() bool { return k.parse != nil }

// now is what the keeper says of the server at this moment.
func (k keeperOf) now() (running, error) {
	text, err := k.list.output()
	list := k.parse(text)
	i := slices.IndexFunc(list, func(one running) bool { return one.name == k.name })
	if i < 0 {
		if err == nil {
			err = fmt.Errorf("%s does not know %s any more", k.words, k.name)
		}
		return running{}, err
	}
	return list[i], nil
}

// view is what is seen of the server after a restart was asked for.
type view struct {
	known bool // the rest is seen, and not only not contradicted
	up    bool
	same  bool // it is the old one
	ready bool // it says that it takes logins, or does not say
	pid   int  // of the new one; 0: not known
	vague bool // only what runs it says so: the server may end in a moment
}

func (v view) down() bool { return v.known && !v.up }

// look tells the new server from the old one: by the process, by the files of
// its data directory where this user may read them, else by what runs it.
func (r Restart) look() view {
	s := r.Subject
	if s.PID != 0 && !hostops.Gone(s.Identity) {
		return view{known: true, up: true, same: true, ready: true, pid: s.PID}
	}
	if s.Files != nil {
		file, err := readPIDFile(s.DataDir)
		switch {
		case err == nil && worksIn(file.pid, s.DataDir):
			return view{known: true, up: true, ready: file.status == "ready" || file.status == "standby", pid: file.pid}
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return view{known: true}
		}
	}
	if r.keeper.known() {
		if one, err := r.keeper.now(); err == nil {
			same := r.keeper.started != "" && one.started == r.keeper.started && one.pid != 0
			return view{known: true, up: one.pid != 0, ready: true, vague: true, same: same, pid: max(one.pid, 0)}
		}
	}
	return view{}
}

// steadyTime is how long a server has to run that only its keeper can see: one
// whose settings are wrong is running, too, until it has read them.
const steadyTime = 700 * time.Millisecond

// await looks until there is a new server that says it is ready, for patience,
// and longer while one is on its way up. Where nothing can be seen, once.
func (r Restart) await(ctx context.Context, patience time.Duration) view {
	began := time.Now()
	poll := time.NewTicker(lookEvery)
	defer poll.Stop()
	steady, since := 0, began
	for {
		v := r.look()
		waited := time.Since(began)
		if !v.up || v.same || v.pid != steady {
			steady, since = v.pid, time.Now()
		}
		switch {
		case v.up && !v.same && v.ready && (!v.vague || time.Since(since) > steadyTime), !v.known && r.Subject.PID == 0 && !r.keeper.known():
			return v
		case v.up && !v.same && waited < startingTime:
		case waited > patience:
			return v
		}
		select {
		case <-ctx.Done():
			return v
		case <-poll.C:
		}
	}
}

// kept tells whether what ran the old server runs the new one: the same
// supervisor, a unit that is active, a container that runs.
func (r Restart) kept(v view) bool {
	if !r.keeper.known() {
		return true
	}
	if r.keeper.process.PID != 0 && hostops.Gone(r.keeper.process) {
		return false
	}
	one, err := r.keeper.now()
	for wait := time.Now(); (err != nil || one.pid == 0) && time.Since(wait) < failedTime; one, err = r.keeper.now() {
		time.Sleep(lookEvery)
	}
	if err != nil {
		return false
	}
	if v.pid == 0 || one.pid <= 0 {
		return one.pid != 0
	}
	now, _ := SubjectOf(v.pid)
	return one.pid == v.pid || now.below(one.pid)
}

// Seen tells whether the server's process, or what runs it, can be looked at:
// else only the server's own word says when it was started.
func (r Restart) Seen() bool { return r.Subject.PID != 0 || r.keeper.known() }
