//go:build unix

package runbook_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestARecoveryIsSaidToBeDoneWhenThePageAnswersNotWhenTheServerEnds(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 30})
	db := s.NewDatabase()
	root := nodeProject(t)
	page := `require('http').createServer((q, r) => { r.statusCode = 500; r.end('no') }).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'))`
	if err := os.WriteFile(filepath.Join(root, "server.js"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	port := ports(t)
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+port)
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan int, 1)
	o := runbook.RecoverOptions{Restart: runbook.RestartNever, Start: true, Answers: func(port int) { answered <- port }}
	ended := make(chan error, 1)
	var r runbook.RecoverReport
	go func() {
		var err error
		r, err = d.Recover(running, o, func(runbook.RecoverReport) {}, func(runbook.Step) {})
		ended <- err
	}()
	select {
	case at := <-answered:
		if port != strconv.Itoa(at) {
			t.Errorf("it answers on port %d, and was to on %s", at, port)
		}
	case err := <-ended:
		t.Fatalf("it ended before it answered: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was said while the server runs")
	}
	cancel()
	if err := <-ended; err != nil || !r.OK || r.Started == nil || !r.Started.OK {
		t.Errorf("after Ctrl+C: %+v, %v", r, err)
	}
}
