package runbook

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// The codes of a server in a container that does not serve.
const (
	codePaused   = "container_paused"
	codeStopped  = "container_stopped"
	codeRestarts = "container_restarts" // again and again
)

// loginFailed is why a login with this URL failed, with what the pooler and the
// container engine know of it.
func (d *Runbook) loginFailed(ctx context.Context, url *settings.URL, err error) *Failure {
	return notRunning(ctx, d, url, behindPooler(ctx, d, url, loginFailure(d, url, err)))
}

// notRunning adds to a login's failure what the container engine knows of a
// server that answers nothing: it is stopped, paused, or restarts again and
// again. f itself comes back where there is no such container.
func notRunning(ctx context.Context, rb *Runbook, url *settings.URL, f *Failure) *Failure {
	switch pgops.Cause(f.Code) {
	case pgops.CauseConnectionRefused, pgops.CauseTimeout, pgops.CauseHungUp, pgops.CauseUnreachable, pgops.CauseStartingUp:
	default:
		return f
	}
	if ctx.Err() != nil || rb.pool == nil || rb.pool.URL().Origin.Variable != url.Origin.Variable {
		return f
	}
	sc, err := sceneWithoutSession(ctx, rb)
	if err != nil {
		return f
	}
	if pgops.Cause(f.Code) == pgops.CauseHungUp && sc.runsPGlite() {
		return sc.busyPGlite(ctx, rb, url, f)
	}
	if sc.srv.Container == nil {
		if sc.srv.Trouble != "" { // whether it is a container's is not known then
			f.Details = append(f.Details, sc.srv.Trouble)
		}
		return f
	}
	c, what := sc.srv.Container, f.Message
	wait := rb.Command("db:test -wait=60s")
	switch {
	case c.State == engine.Paused:
		f.Code, f.Message, f.Next = codePaused, fmt.Sprintf("%s, which serves %s, is paused.", c, where(url)), c.Line("unpause")+", then: "+wait
	case c.Looping():
		f.Code, f.Message, f.Next = codeRestarts, fmt.Sprintf("%s, which serves %s, restarts again and again.", c, where(url)), c.Line("logs", "--tail", "50")+" says why"
	case c.State == engine.Exited, c.State == engine.Created:
		f.Code, f.Message, f.Next = codeStopped, fmt.Sprintf("%s, which serves %s, is stopped%s.", c, where(url), ended(*c)), c.Line("start")+", then: "+wait
	case sc.srv.Kind == server.Forwarded && pgops.Cause(f.Code) == pgops.CauseHungUp:
		f.Code, f.Message, f.Next = string(pgops.CauseStartingUp), fmt.Sprintf("PostgreSQL in %s, which serves %s, is starting up and lets nobody in yet.", c, where(url)), wait
	default:
		return f
	}
	f.Details = append(f.Details, what)
	return f
}

// codePGliteBusy: PGlite's one connection is taken.
const codePGliteBusy = "pglite_busy"

// runsPGlite tells whether the program that listens may be PGlite: a JavaScript
// runtime in a project that has the package.
func (sc scene) runsPGlite() bool {
	p := sc.srv.Listener
	if p.PID == 0 || p.Dir == "" || !isNode(p) {
		return false
	}
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "@electric-sql", "pglite")); err == nil {
			return true
		}
		if filepath.Dir(dir) == dir {
			return false
		}
	}
}

// busyPGlite says what a connection that is closed without a word means there.
func (sc scene) busyPGlite(ctx context.Context, rb *Runbook, url *settings.URL, f *Failure) *Failure {
	f.Code = codePGliteBusy
	f.Message = fmt.Sprintf("%s at %s closes our connection without a word: if it is PGlite (prisma dev, pglite-socket), its one connection is taken.", sc.srv.Listener.String(), where(url))
	sc.nameHolders(ctx, f, sc.seenFromOutside(rb))
	f.Next = "end what holds it, then: " + rb.Command("db:test -wait=60s")
	return f
}

// ended is how a stopped container ended, where that says something.
func ended(c engine.Container) string {
	switch {
	case c.OutOfMemory:
		return ": it had used up its memory"
	case c.ExitCode != 0 && c.State == engine.Exited:
		return fmt.Sprintf(" (exit code %d)", c.ExitCode)
	}
	return ""
}
