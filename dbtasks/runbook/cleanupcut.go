package runbook

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// cutBefore is the failure of a cleanup that was cut short while it only
// looked: nothing was ended.
func cutBefore(ctx context.Context, rb *Runbook, a *access, o CleanupOptions, err error) error {
	if f := alreadyFailure(err); f != nil {
		return f
	}
	why, f := cut(ctx, rb, o, err)
	f.Message = fmt.Sprintf("No session was ended: %s.", why)
	return f
}

// cutShort is the failure of a cleanup that was cut short while it ended
// sessions: what is known of them.
func (r *CleanupReport) cutShort(ctx context.Context, rb *Runbook, o CleanupOptions, err error) error {
	why, f := cut(ctx, rb, o, err)
	planned := 0
	for _, h := range r.Holders {
		planned += h.Count
	}
	switch {
	case len(r.Plan) == 0:
		f.Message = fmt.Sprintf("%s may or may not have ended: %s before it was said.", sessionsOf(planned, r.Target.Named()), why)
	case r.Ended == len(r.Plan):
		f.Message = fmt.Sprintf("%s ended, all gone, but what is left is not known: %s.", sessionsOf(r.Ended, r.Target.Named()), why)
	default:
		f.Message = fmt.Sprintf("%d of %s are gone, the others were told to end: %s.", r.Ended, sessionsOf(len(r.Plan), r.Target.Named()), why)
	}
	return f
}

// sessionsOf is "3 sessions of database …"; named is Place.Named.
func sessionsOf(n int, named string) string {
	if n == 1 {
		return "1 session of " + named
	}
	return fmt.Sprintf("%d sessions of %s", n, named)
}

// cut says why a cleanup was cut short; the next one ends only what is left.
func cut(ctx context.Context, rb *Runbook, o CleanupOptions, err error) (why string, f *Failure) {
	f = &Failure{Exit: ExitNotDone, Code: "failed", Details: []string{firstWords(err)}, Next: rb.Command(o.again()), Err: err}
	at := where(rb.pool.URL())
	cause := pgops.CauseOf(err)
	var network *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		f.Code, f.Details, why = "interrupted", nil, "it was interrupted"
	case cause == pgops.CauseTimeout:
		f.Code, why = string(cause), fmt.Sprintf("the server at %s fell silent", at)
	case cause == pgops.CauseSessionLost, cause == pgops.CauseShuttingDown, errors.As(err, &network):
		f.Code, why = string(pgops.CauseSessionLost), fmt.Sprintf("the connection to %s was cut", at)
	default:
		f.Details, why = nil, firstWords(err)
	}
	return why, f
}

// again is the call with the same flags.
func (o CleanupOptions) again() string {
	call := o.Caller
	if o.Force && call == "db:cleanup" {
		call += " -force"
	}
	if o.Idle > 0 {
		call += fmt.Sprintf(" -idle=%s", o.Idle)
	}
	if o.Remote != "" {
		call += " -remote=" + plain.Word(o.Remote)
	}
	return call
}
