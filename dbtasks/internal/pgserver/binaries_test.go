package pgserver_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestBinariesAreFoundWithoutLinksOnTheirPath(t *testing.T) {
	t.Parallel()
	b := pgtest.Binaries(t)
	real, err := filepath.EvalSymlinks(filepath.Join(b.Dir, "postgres"))
	if err != nil || filepath.Dir(real) != b.Dir || b.Major < 10 || b.From == "" {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestAWrongFolderIsAnErrorEvenWhereAnotherPostgresqlIs(t *testing.T) {
	t.Parallel()
	_, err := pgserver.FindBinaries(t.Context(), pgserver.FindOptions{Dir: t.TempDir(), Install: true})
	if !errors.Is(err, pgserver.ErrNoBinaries) {
		t.Error(err)
	}
}

func TestNpmsBinariesMakeAServer(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("no npm on this machine")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var log textLog
	b, err := pgserver.FromNPM(ctx, pgserver.NPMVersion, pgserver.FindOptions{Install: true, Log: &log})
	if err != nil && regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH`).MatchString(err.Error()) {
		t.Skip("npm gets no answer: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := pgserver.StartDisposable(ctx, pgserver.DisposableOptions{Binaries: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	conn, err := pgx.Connect(ctx, d.URL(d.Superuser, d.SuperuserPassword, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var version string
	if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil || version != b.Version || b.Major != 18 {
		t.Errorf("the server says %q (%v), the binaries %+v", version, err, b)
	}
	log.text = ""
	if _, err := pgserver.FromNPM(ctx, pgserver.NPMVersion, pgserver.FindOptions{Log: &log}); err != nil || log.text != "" {
		t.Errorf("the second time: %v, %q", err, log.text)
	}
}

type textLog struct{ text string }

func (l *textLog) Write(p []byte) (int, error) {
	l.text += string(p)
	return len(p), nil
}
