package runbook

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// unanswered is the failure of a question that a server which let us in did not
// answer as it should. Nothing was changed by a question.
func unanswered(ctx context.Context, rb *Runbook, err error) error {
	if f := alreadyFailure(err); f != nil {
		return f
	}
	cause, at := pgops.CauseOf(err), where(rb.pool.URL())
	f := &Failure{Exit: ExitNotDone, Code: string(cause), Next: rb.Command("db:test"), Details: []string{lastLine(firstWords(err))}, Err: err}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		f.Code, f.Details, f.Message = "interrupted", nil, "Interrupted before the server answered."
	case cause == pgops.CauseTimeout:
		f.Details = nil
		f.Message = fmt.Sprintf("PostgreSQL at %s let us in, and did not answer within %s: it hangs, is stopped, or is overloaded.", at, pgops.QuestionTimeout)
		f.Next = "is the server frozen? " + rb.Command("dev:recover -restart=always")
	case cause == pgops.CauseNotPostgres:
		f.Message = fmt.Sprintf("What answers at %s is no PostgreSQL in its right mind.", at)
	default:
		f.Message = fmt.Sprintf("PostgreSQL at %s let us in, and did not answer what it was asked.", at)
	}
	return f
}
