package enginetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// patience is for a machine under load: an engine starts in 0.3 s.
const patience = 90 * time.Second

// Engine is a running engine of this machine, as one test sees it: what the
// test makes is removed at its end, and a failure is the test's.
type Engine struct {
	Program string   // docker or podman: what its users type
	User    *Account // whose it is; nil: root's

	t   testing.TB
	bin string // folder of PostgreSQL's programs
}

// Command is the engine's own program with args, as its user types it; the
// engine is at its usual place.
func (e *Engine) Command(args ...string) *exec.Cmd { return e.command(context.Background(), args...) }

func (e *Engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Program, args...)
	if e.User != nil {
		return e.User.As(cmd)
	}
	return cmd
}

// Run runs the engine's program and is what it prints, without the last line
// break. The test fails with its words when it does not succeed.
func (e *Engine) Run(args ...string) string {
	e.t.Helper()
	out, err := e.try(args...)
	if err != nil {
		e.t.Fatalf("%s %s: %v: %s", e.Program, strings.Join(args, " "), err, out)
	}
	return out
}

func (e *Engine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := e.command(ctx, args...)
	cmd.WaitDelay = time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	text := strings.TrimSpace(string(out))
	if err != nil {
		text = strings.TrimSpace(text + "\n" + errs.String())
	}
	return text, err
}

// importImages gives the engine the test images.
func (e *Engine) importImages() error {
	path := e.bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for image, account := range map[string]string{Image: "postgres", ImageNoAccount: "app"} {
		content, err := imageTar(account)
		if err != nil {
			return err
		}
		file := filepath.Join("/run", account+".tar")
		if err := os.WriteFile(file, content, 0o644); err != nil { //nolint:gosec // no secret; other users import it
			return err
		}
		if out, err := e.try("import", "-c", `ENTRYPOINT ["/docker-entrypoint.sh"]`, "-c", "ENV PATH="+path,
			"-c", "VOLUME /var/lib/postgresql/data", file, image); err != nil {
			return &engineError{e.Program + " import", err, out}
		}
	}
	return nil
}

type engineError struct {
	what string
	err  error
	text string
}

func (e *engineError) Error() string { return e.what + ": " + e.err.Error() + ": " + e.text }
func (e *engineError) Unwrap() error { return e.err }

// place are the options of `run` for the folders of this machine that programs
// in a container need, and for the control group that the machine ends with.
func (e *Engine) place() []string {
	args := []string{"-v", "/usr:/usr:ro"}
	if e.Program == "podman" && e.User == nil { // Docker's daemon is told at its start, and an ordinary user makes none
		args = append(args, "--cgroup-parent", "/"+Machine()+"/libpod_parent")
	}
	if !strings.HasPrefix(e.bin, "/usr/") {
		root := filepath.Dir(e.bin)
		args = append(args, "-v", root+":"+root+":ro")
	}
	return args
}

// Network makes a network of containers that ends with the test. bridge names
// its interface; "": as the engine does.
func (e *Engine) Network(name, bridge string) {
	e.t.Helper()
	args := []string{"network", "create"}
	if bridge != "" && e.Program == "docker" {
		args = append(args, "-o", "com.docker.network.bridge.name="+bridge)
	}
	e.Run(append(args, name)...)
	e.t.Cleanup(func() { _, _ = e.try("network", "rm", name) })
}

func newEngine(t testing.TB, program string) *Engine {
	return &Engine{Program: program, t: t, bin: pgtest.Binaries(t).Dir}
}
