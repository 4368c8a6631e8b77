package engine_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
)

func TestAContainerIsActedUponAsItWasSeenOrNotAtAll(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := e.Postgres(enginetest.PostgresOptions{})
		seen := look(t, c)
		c.Stop()
		stopped := look(t, c)
		if err := stopped.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Look()
		c.AwaitLogin()
		again := look(t, c)
		if !again.Started.After(seen.Started) || again.State != engine.Running {
			t.Errorf("%+v", again)
		}
		if err := stopped.Start(t.Context()); !errors.Is(err, engine.ErrChanged) {
			t.Errorf("what was seen before the start: %v", err)
		}
		if err := seen.Unpause(t.Context()); !errors.Is(err, engine.ErrChanged) {
			t.Errorf("an earlier run of it: %v", err)
		}
		c.Pause()
		paused := look(t, c)
		if err := again.Unpause(t.Context()); !errors.Is(err, engine.ErrChanged) || paused.State != engine.Paused {
			t.Errorf("%v, %+v", err, paused)
		}
		if err := paused.Unpause(t.Context()); err != nil {
			t.Error(err)
		}
		if now := look(t, c); now.State != engine.Running || !now.Started.Equal(again.Started) {
			t.Errorf("%+v", now)
		}
		e.Run("rm", "-f", "-v", c.ID)
		if err := again.Unpause(t.Context()); !errors.Is(err, engine.ErrGone) {
			t.Error(err)
		}
		if _, err := again.Exec(t.Context(), engine.ExecOptions{Args: []string{"true"}}); !errors.Is(err, engine.ErrGone) {
			t.Error(err)
		}
	})
}

func TestAProgramRunsAsTheServersAccountWhateverThatIsCalled(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := look(t, e.Postgres(enginetest.PostgresOptions{Image: enginetest.ImageNoAccount, Superuser: "boss"}))
		p, err := c.Postmaster(t.Context())
		if err != nil || p.PID != 1 || p.User != "999:999" {
			t.Fatalf("%+v, %v", p, err)
		}
		said, err := c.Exec(t.Context(), engine.ExecOptions{User: p.User, Args: []string{"sh", "-c", "id -un; cat"}, Stdin: strings.NewReader("a secret")})
		if err != nil || said != "app\na secret" {
			t.Errorf("%q, %v", said, err)
		}
		var failed *engine.FailedError
		if _, err := c.Exec(t.Context(), engine.ExecOptions{Args: []string{"sh", "-c", "echo no such thing >&2; exit 7"}}); !errors.As(err, &failed) || failed.Code != 7 || failed.Words != "no such thing" {
			t.Errorf("%+v, %v", failed, err)
		}
		// With a process above it that is no server, and other servers in sight.
		hosts := look(t, e.Postgres(enginetest.PostgresOptions{Args: []string{"--pid", "host"}}))
		if p, err := hosts.Postmaster(t.Context()); err != nil || p.User != "999:999" || p.PID == 1 || !hosts.HostPIDs {
			t.Errorf("%+v, %v", p, err)
		}
		client := look(t, e.Client(enginetest.ClientOptions{}))
		if p, err := client.Postmaster(t.Context()); !errors.Is(err, engine.ErrNoServer) {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestFilesAreCopiedOutOfAndIntoAStoppedContainer(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		running := e.Postgres(enginetest.PostgresOptions{})
		running.Stop()
		c := look(t, running)
		const data = "/var/lib/postgresql/data"
		read := func() (tar.Header, string) {
			var out bytes.Buffer
			if err := c.CopyFrom(t.Context(), data+"/postgresql.auto.conf", &out); err != nil {
				t.Fatal(err)
			}
			r := tar.NewReader(&out)
			h, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return *h, string(content)
		}
		before, content := read()
		if before.Name != "postgresql.auto.conf" || (before.Uid != 999) != (e.Program == "podman") || !strings.Contains(content, "ALTER SYSTEM") {
			t.Fatalf("%+v %q", before, content)
		}
		content += "work_mem = '5MB'\n"
		var in bytes.Buffer
		w := tar.NewWriter(&in)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: before.Name, Mode: before.Mode, Uid: 999, Gid: 999, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if err := c.CopyTo(t.Context(), data, &in); err != nil {
			t.Fatal(err)
		}
		if after, now := read(); after.Mode != before.Mode || now != content {
			t.Errorf("%+v %q", after, now)
		}
		running.Start()
		if owner := running.Exec("stat", "-c", "%u:%g", data+"/postgresql.auto.conf"); owner != "999:999" {
			t.Error(owner)
		}
		var memory string
		if err := running.Admin("postgres").QueryRow(t.Context(), "SHOW work_mem").Scan(&memory); err != nil || memory != "5MB" {
			t.Error(memory, err)
		}
		if err := c.CopyFrom(t.Context(), "/nowhere", io.Discard); err == nil || strings.Contains(err.Error(), "exit status") {
			t.Error(err)
		}
	})
}
