package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestALoginIsWaitedForUntilTheServerAnswersIt(t *testing.T) {
	t.Parallel()
	answers := []error{errors.New("connection refused"), &pgconn.PgError{Code: "57P03"}, nil}
	calls := 0
	err := WaitForLogin(t.Context(), func(context.Context) error {
		calls++
		return answers[calls-1]
	})
	if err != nil || calls != len(answers) {
		t.Errorf("%v after %d tries, want none after %d", err, calls, len(answers))
	}
}

func TestARefusalIsAnAnswer(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"53300", "28P01", "28000", "3D000"} {
		calls := 0
		err := WaitForLogin(t.Context(), func(context.Context) error {
			calls++
			return fmt.Errorf("log in: %w", &pgconn.PgError{Code: code})
		})
		if err != nil || calls != 1 {
			t.Errorf("%s: %v after %d tries", code, err, calls)
		}
	}
}

func TestAServerThatNeverAnswersIsGivenUpWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	err := WaitForLogin(ctx, func(context.Context) error {
		return &pgconn.PgError{Code: "57P03", Message: "the database system is starting up"}
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "starting up") {
		t.Error(err)
	}
}
