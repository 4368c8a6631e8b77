// Package places tries the compiled runbook on servers where users have them:
// in containers, behind forwarders, beside other servers, on another machine;
// as root, as an ordinary user who may use the container engine, and as one who
// may not.
package places

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/clitest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	defer func() {
		if shop.dir != "" {
			_ = os.RemoveAll(shop.dir)
		}
	}()
	return enginetest.Run(m)
}

// shop is the compiled runbook.
var shop struct {
	once   sync.Once
	dir    string
	binary string
	err    error
}

func runbook(t *testing.T) string {
	t.Helper()
	shop.once.Do(func() {
		if shop.dir, shop.err = os.MkdirTemp("", "dbtasks-places-"); shop.err != nil {
			return
		}
		if shop.err = os.Chmod(shop.dir, 0o755); shop.err == nil {
			shop.binary, shop.err = clitest.Compile("../../..", shop.dir)
		}
	})
	if shop.err != nil {
		t.Fatal(shop.err)
	}
	return shop.binary
}

// caller is who runs the runbook, in a project of theirs.
type caller struct {
	account *enginetest.Account // nil: root
	dir     string
}

// root is root; user is an ordinary one in these groups.
func root(t *testing.T, env ...string) caller { return project(t, nil, env) }

func user(t *testing.T, groups []string, env ...string) caller {
	return project(t, enginetest.User(t, groups...), env)
}

// project makes a folder with the caller's settings.
func project(t *testing.T, account *enginetest.Account, env []string) caller {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if account != nil {
		dir = filepath.Join(account.Home, "shop")
	}
	for name, text := range map[string]string{"package.json": `{"name":"shop","scripts":{"dev":"node server.js"}}`, ".env": strings.Join(env, "\n") + "\n"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if account != nil {
			for _, p := range []string{dir, path} {
				if err := os.Chown(p, account.UID, account.GID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return caller{account, dir}
}

// with is the caller in the same project with other settings.
func (c caller) with(t *testing.T, env ...string) caller {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, ".env"), []byte(strings.Join(env, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome is one call of the runbook.
type outcome struct {
	exit int
	out  string // both streams
	json map[string]any
	took time.Duration
}

func (o outcome) String() string { return fmt.Sprintf("exit %d after %s:\n%s", o.exit, o.took, o.out) }

// run calls a target. With -json its answer is read.
func (c caller) run(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), runbook(t), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=" + t.TempDir()}
	if c.account != nil {
		cmd.Env = nil
		c.account.As(cmd)
		cmd.Dir = c.dir
	}
	var stdout, both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &both
	began := time.Now()
	err := cmd.Run()
	o := outcome{took: time.Since(began)}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.exit = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	o.out = stdout.String() + both.String()
	if err := json.Unmarshal(stdout.Bytes(), &o.json); err != nil {
		o.json = nil
	}
	return o
}

// url is a URL with the pool limit that the tool wants.
func limited(s enginetest.Server, params ...string) string {
	return "DATABASE_URL=" + s.URL(append(params, "connection_limit=5")...)
}

// at is a URL that leads to another place.
func at(s enginetest.Server, place netip.AddrPort) string {
	s.At = place
	return limited(s)
}

// leak holds idle sessions of the application in a process of the caller's own,
// in the project's folder, until the test ends.
func (c caller) leak(t *testing.T, s enginetest.Server, sessions int) *pgtest.Leak {
	t.Helper()
	o := pgtest.LeakOptions{URL: s.URL("application_name=shop"), Sessions: sessions, Dir: c.dir}
	if c.account != nil {
		o.As = c.account.As
	}
	return pgtest.StartLeak(t, o)
}

// fill takes every slot: the ordinary ones with idle sessions of the
// application, the reserved ones with the superuser's.
func (c caller) fill(t *testing.T, s enginetest.Server, slots int) *pgtest.Leak {
	t.Helper()
	l := c.leak(t, s, slots-3)
	for range 3 {
		pgtest.Connect(t, s.AdminURL("postgres"))
	}
	return l
}

// sessions counts the application's sessions, over a superuser's that is held.
func sessions(t *testing.T, admin *pgx.Conn) int {
	t.Helper()
	return pgtest.Count(t, admin, "application_name = 'shop'")
}
