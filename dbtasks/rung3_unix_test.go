//go:build unix

package dbtasks

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestTheThirdRungSparesOtherRunsAndNeverGuessesHowLongASessionIsIdle(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may signal the server's backends here")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	env := []string{"DATABASE_URL=" + db.URL("connection_limit=5")}
	// The monitor logs in first: its backend is the oldest, and would be the first to go.
	watch := exec.Command(binary(t), "db:monitor", "-every=200ms", "-json")
	watch.Dir, watch.Env = t.TempDir(), append(withoutSettings(os.Environ()), env...)
	var samples bytes.Buffer
	watch.Stdout = &samples
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = watch.Process.Kill(); _ = watch.Wait() })
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 10*time.Second, "the monitor is logged in", func() bool {
		return pgtest.Count(t, admin, "application_name = 'dbtasks'") == 1
	})
	leak, _ := db.Fill("leak")
	for {
		conn, err := pgx.Connect(t.Context(), s.AdminURL("postgres"))
		if err != nil {
			break
		}
		defer conn.Close(t.Context())
	}
	if o := runIn(t, t.TempDir(), env, "db:cleanup", "-idle=1h"); o.code != 1 || strings.Contains(o.stderr, "sent SIGTERM") {
		t.Errorf("-idle=1h: %s", o)
	}
	for _, c := range leak {
		if c.Ping(t.Context()) != nil {
			t.Fatal("-idle=1h ended a session that was idle for a moment")
		}
	}
	if o := runIn(t, t.TempDir(), env, "db:cleanup"); o.code != 0 || !strings.Contains(o.stderr, "sent SIGTERM") {
		t.Errorf("db:cleanup: %s", o)
	}
	_ = watch.Process.Signal(os.Interrupt)
	_ = watch.Wait()
	if text := samples.String(); strings.Contains(text, "session_lost") || strings.Count(text, `"ok":true`) < 2 {
		t.Errorf("the monitor lost its session:\n%s", text)
	}
}
