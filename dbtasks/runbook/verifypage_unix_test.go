//go:build unix

package runbook_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// stranger answers at a port, and belongs to this repository and not to the
// project under proof. It counts who asks.
func stranger(t *testing.T, port string) (asked func() int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		_, _ = io.WriteString(w, "a page of somebody else")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return n.Load
}

func TestTheLeakIsShownWithoutALimitAndAtThePortWhereTheDevServerReallyListens(t *testing.T) {
	root := installed(t)
	clientModule(t, root, "leaky")
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	given, own := ports(t), pgtest.FreePort(t)
	if err := os.WriteFile(filepath.Join(root, ".env"), []byte("DATABASE_URL="+db.URL("")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &syncBuilder{}
	d := openedSaying(t, said, root, "DBTASKS_PORTS="+given, fmt.Sprintf("DBTASKS_DEV_COMMAND=touch begun && exec node_modules/.bin/vite dev --port %d --strictPort", own))
	var asked func() int64
	begun := make(chan struct{})
	go func() { // somebody else takes the port that was free a moment ago
		defer close(begun)
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(root, "begun")); err == nil {
				asked = stranger(t, given)
				return
			}
		}
		t.Error("the dev server was not started")
	}()
	r, err := d.Verify(ctx, runbook.VerifyOptions{Reloads: 3, Max: 12})
	<-begun
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, runbook.AsFailure(err), said)
	}
	if r.Verdict != runbook.VerdictLeaks || !strings.Contains(r.URL, fmt.Sprintf(":%d/", own)) || !strings.HasPrefix(r.Next, "mage dev:check") {
		t.Errorf("%s: %+v", r.Headline(), r)
	}
	for _, want := range []string{"carries no pool limit", fmt.Sprintf("it listens on port %d", own)} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q was not said: %s", want, said)
		}
	}
	if asked != nil && asked() > 0 {
		t.Errorf("the stranger at the port was asked %d times", asked())
	}
	// What needs the limit refuses as it did, in the same run too.
	_, err = d.Test(ctx, runbook.TestOptions{})
	if f := runbook.AsFailure(err); f == nil || f.Exit != runbook.ExitSettings {
		t.Errorf("db:test without a limit: %v", err)
	}
}

func TestAStrangersServerIsNotTakenForTheProjects(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "package.json"), []byte(`{"dependencies":{"pg":"8"},"scripts":{"dev":"vite"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	clientModule(t, root, "leaky")
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"))
	port := ports(t)
	asked := stranger(t, port)
	_, err := d.Verify(ctx, runbook.VerifyOptions{Reloads: 2, Max: 1, URL: "http://localhost:" + port})
	if f := failure(t, err, "foreign_server", runbook.ExitNotDone); !strings.Contains(f.Message, fmt.Sprintf("pid %d", os.Getpid())) || asked() > 0 {
		t.Errorf("asked %d times: %s", asked(), f.Message)
	}
}
