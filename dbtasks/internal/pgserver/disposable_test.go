package pgserver_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestADisposableServerLetsThePasswordInOnEveryAddressAndNothingElse(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	hosts := []string{"127.0.0.1", s.SocketDir}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = l.Close()
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		if host == "" {
			continue // no Unix sockets on Windows
		}
		for password, want := range map[string]string{db.Password: "", "wrong": "28P01"} {
			cfg, err := pgx.ParseConfig(db.URL())
			if err != nil {
				t.Fatal(err)
			}
			cfg.Host, cfg.Password, cfg.TLSConfig, cfg.Fallbacks = host, password, nil, nil
			if got := loginCode(t, cfg); got != want {
				t.Errorf("%s, password right=%v: SQLSTATE %q, want %q", host, want == "", got, want)
			}
		}
	}
}

// loginCode is "" for a login that works.
func loginCode(t *testing.T, cfg *pgx.ConnConfig) string {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	var refusal *pgconn.PgError
	switch {
	case err == nil:
		_ = conn.Close(t.Context())
		return ""
	case errors.As(err, &refusal):
		return refusal.Code
	}
	t.Fatal(err)
	return ""
}

func TestADisposableServerHasItsSettings(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 12, SuperuserReserved: -1, Settings: map[string]string{"cluster_name": "it's mine", "fsync": "on"}})
	conn := s.Admin("postgres")
	for name, want := range map[string]string{"max_connections": "12", "superuser_reserved_connections": "0", "cluster_name": "it's mine", "fsync": "on", "server_encoding": "UTF8", "lc_collate": "C", "port": strconv.Itoa(s.Port)} {
		var got string
		query := "SELECT current_setting($1)"
		if name == "lc_collate" { // no setting since 16
			query = "SELECT datcollate FROM pg_database WHERE datname = 'postgres' AND $1 <> ''"
		}
		if err := conn.QueryRow(t.Context(), query, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, want %q (%v)", name, got, want, err)
		}
	}
}

func TestLinesOfHbaComeBeforeTheDefaultOnes(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{HBA: []string{"host all banned all reject"}})
	s.Exec("CREATE ROLE banned LOGIN PASSWORD 'x'")
	_, err := pgx.Connect(t.Context(), s.URL("banned", "x", "postgres"))
	if err == nil || !strings.Contains(err.Error(), "pg_hba.conf rejects") {
		t.Error(err)
	}
}

func TestStopEndsSessionsAtWorkAndMayBeCalledTwice(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	conn := s.Admin("postgres")
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_sleep(60)")
		ended <- err
	}()
	watcher := s.Admin("postgres")
	pgtest.Eventually(t, 5*time.Second, "the query runs", func() bool { return pgtest.Count(t, watcher, "query LIKE '%pg_sleep(60)%' AND state = 'active'") == 1 })
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err == nil {
		t.Error("the query went on")
	}
	if _, err := os.Stat(filepath.Dir(s.DataDir)); !os.IsNotExist(err) {
		t.Errorf("the folder is still there (%v)", err)
	}
	if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err != nil {
		t.Error(err)
	} else {
		_ = l.Close()
	}
}

func TestAServerThatCannotStartSaysWhyAndLeavesNothing(t *testing.T) {
	bin, temp := pgtest.Binaries(t), ownTemp(t)
	_, err := pgserver.StartDisposable(t.Context(), pgserver.DisposableOptions{Binaries: bin, Settings: map[string]string{"shared_buffers": "many"}})
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("%v, want the server's own words", err)
	}
	if left := folders(t, temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	bin, temp := pgtest.Binaries(t), ownTemp(t)
	for _, after := range []time.Duration{0, 30 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		d, err := pgserver.StartDisposable(ctx, pgserver.DisposableOptions{Binaries: bin})
		cancel()
		if err == nil { // a fast machine: it was ready before
			err = errors.Join(d.Stop(t.Context()), context.DeadlineExceeded)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", after, err)
		}
	}
	if left := folders(t, temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// ownTemp makes a temporary folder that the servers started from here on have
// for themselves; its path is short, as a Unix socket's has to be.
func ownTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	return dir
}

func folders(t *testing.T, temp string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(temp, "dbtasks-pg-*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAUrlCarriesEveryPasswordAndItsParameters(t *testing.T) {
	d := &pgserver.Disposable{Port: 5433}
	got := d.URL("me", "p@ss:w/ö?#", "my shop", "connection_limit=3", "pool_timeout=0")
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if password != "p@ss:w/ö?#" || u.Path != "/my shop" || u.Host != "127.0.0.1:5433" || u.RawQuery != "connection_limit=3&pool_timeout=0" {
		t.Error(got)
	}
}

func BenchmarkStart(b *testing.B) {
	bin := pgtest.Binaries(b)
	template, err := pgserver.NewTemplate(b.Context(), bin)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = template.Close(context.Background()) })
	for name, template := range map[string]*pgserver.Template{"initdb": nil, "template": template} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				d, err := pgserver.StartDisposable(b.Context(), pgserver.DisposableOptions{Binaries: bin, Template: template})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := d.Stop(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
