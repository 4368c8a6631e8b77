package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// sessionsOf counts a container's sessions by application_name, from within.
func sessionsOf(t *testing.T, admin *pgx.Conn, name string) int {
	t.Helper()
	return pgtest.Count(t, admin, "a.application_name = $1", name)
}

func TestASlotIsFreedFromWithinTheContainer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		podman   bool
		options  enginetest.PostgresOptions
		reserved bool // a superuser's slot is free
		says     string
	}{
		"through a reserved slot":                       {options: enginetest.PostgresOptions{}, reserved: true, says: "pg_terminate_backend("},
		"of a superuser of another name":                {options: enginetest.PostgresOptions{Superuser: "boss", Image: enginetest.ImageNoAccount}, reserved: true, says: "pg_terminate_backend("},
		"with no slot at all":                           {options: enginetest.PostgresOptions{}, says: "SIGTERM to idle backend "},
		"with a password for local logins and a prefix": {options: enginetest.PostgresOptions{LocalPassword: true, Settings: []string{"cluster_name=shop"}}, reserved: true, says: "SIGTERM to idle backend "},
		"of the host's process table":                   {options: enginetest.PostgresOptions{LocalPassword: true, Args: []string{"--pid", "host"}}, says: "SIGTERM to idle backend "},
		"with podman":                                   {podman: true, options: enginetest.PostgresOptions{}, says: "SIGTERM to idle backend "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := enginetest.Docker(t, enginetest.DockerOptions{})
			if c.podman {
				e = enginetest.Podman(t)
			}
			c.options.MaxConnections = 9
			server := e.Postgres(c.options)
			admin := server.Admin("postgres")
			for _, sql := range []string{"CREATE ROLE app2 LOGIN PASSWORD 'x'", "CREATE DATABASE \"x app\" OWNER app"} {
				if _, err := admin.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			// Of another database, whose name ends as ours, and older.
			pgtest.Connect(t, strings.Replace(server.URL("application_name=other"), "/app?", "/x%20app?", 1))
			pgtest.StartLeak(t, pgtest.LeakOptions{URL: server.URL("application_name=leak"), Sessions: 4})
			if !c.reserved {
				for range 3 {
					server.Admin("postgres")
				}
			}
			found := look(t, server)
			began := time.Now()
			how, err := found.FreeSlots(t.Context(), engine.FreeOptions{Role: "app2", Database: enginetest.Database})
			if err != nil || len(how) != 1 || !strings.HasPrefix(how[0], c.says) {
				t.Fatalf("%q, %v", how, err)
			}
			t.Log(how, time.Since(began))
			pgtest.Eventually(t, 5*time.Second, "its session is gone", func() bool { return sessionsOf(t, admin, "leak") == 3 })
			if n := sessionsOf(t, admin, "other"); n != 1 {
				t.Errorf("%d sessions of another database", n)
			}
			// Another role's limit is not helped by ours.
			if how, err := found.FreeSlots(t.Context(), engine.FreeOptions{Role: "app2", Database: enginetest.Database, OnlyRole: true}); !errors.Is(err, engine.ErrNoIdle) {
				t.Errorf("%q, %v", how, err)
			}
			if how, err := found.FreeSlots(t.Context(), engine.FreeOptions{Role: enginetest.Role, Database: "nosuch"}); !errors.Is(err, engine.ErrNoIdle) {
				t.Errorf("%q, %v", how, err)
			}
			if n := sessionsOf(t, admin, "leak"); n != 3 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

func TestASessionThatListensOrHoldsALockIsNotWhatIsFreed(t *testing.T) {
	t.Parallel()
	server := enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{})
	for _, sql := range []string{"LISTEN jobs", "SELECT pg_advisory_lock(1)"} {
		if _, err := pgtest.Connect(t, server.URL()).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	o := engine.FreeOptions{Role: enginetest.Role, Database: enginetest.Database}
	if how, err := look(t, server).FreeSlots(t.Context(), o); !errors.Is(err, engine.ErrNoIdle) {
		t.Errorf("%q, %v", how, err)
	}
	idle := pgtest.Connect(t, server.URL())
	var pid int
	if err := idle.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if how, err := look(t, server).FreeSlots(t.Context(), o); err != nil || !slices.Equal(how, []string{fmt.Sprintf("pg_terminate_backend(%d)", pid)}) {
		t.Errorf("%q, %v, want %d", how, err, pid)
	}
}
