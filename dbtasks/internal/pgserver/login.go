package pgserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// loginPoll is the pause between two tries. A refused one costs the server a
// process, so not less.
const loginPoll = 50 * time.Millisecond

// WaitForLogin calls login until the server answers it, or ctx ends. pg_isready
// is no substitute: it knows nothing of full slots. A refusal is an answer as
// well (full, wrong password, no such database): the server is up, and nil is
// returned. 57P03, which it says while it starts, stops or recovers, is none.
//
// The error has ctx's and login's last one.
func WaitForLogin(ctx context.Context, login func(context.Context) error) error {
	poll := time.NewTicker(loginPoll)
	defer poll.Stop()
	for {
		err := login(ctx)
		if err == nil || answered(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a login: %w: %w", ctx.Err(), err)
		case <-poll.C:
		}
	}
}

func answered(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code != "57P03"
}
