package pgops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// What one question to a server may take. The server may be another program, or
// out of its mind: nothing that it sends or does not send costs more.
const (
	mostMessage = 1 << 20  // bytes of one message; a session's row has a few hundred
	mostAnswer  = 16 << 20 // bytes of one answer; 2,000 sessions take about 1 MB
)

// QuestionTimeout is from a question to the whole answer. Nothing but a test
// that asks thousands of them changes it, and before it begins.
var QuestionTimeout = 10 * time.Second

// ErrEndless is the error of an answer longer than any that the tool asks for.
var ErrEndless = errors.New("the answer is longer than any of PostgreSQL's would be")

// bound sets these bounds for a session of the tool's own with a URL.
func bound(cfg *pgx.ConnConfig, url *settings.URL) {
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		m := &meter{r: r, w: guarded(url, cfg, w)}
		f := pgproto3.NewFrontend(m, m)
		f.SetMaxBodyLen(mostMessage)
		return f
	}
	cfg.Tracer = questions{}
}

// meter counts what comes in answer to what was sent last.
type meter struct {
	r    io.Reader
	w    io.Writer
	read int
}

func (m *meter) Write(b []byte) (int, error) {
	m.read = 0
	return m.w.Write(b)
}

func (m *meter) Read(b []byte) (int, error) {
	if m.read > mostAnswer {
		return 0, fmt.Errorf("%w (%d MB at least)", ErrEndless, m.read>>20)
	}
	n, err := m.r.Read(b)
	m.read += n
	return n, err
}

// questions gives each query of a session its time. pgx runs a query under the
// context that its tracer returns.
type questions struct{}

type questionKey struct{}

func (questions) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, QuestionTimeout)
	return context.WithValue(ctx, questionKey{}, cancel)
}

func (questions) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if cancel, ok := ctx.Value(questionKey{}).(context.CancelFunc); ok {
		cancel()
	}
}
