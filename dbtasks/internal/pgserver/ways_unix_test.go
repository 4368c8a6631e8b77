//go:build unix

package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakePrograms puts shell scripts of these names before everything on PATH and
// returns their folder. Another process writes them: a file that was just open
// for writing here can't be run.
func fakePrograms(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		cmd := exec.Command("sh", "-c", `cat >"$0" && chmod 755 "$0"`, filepath.Join(dir, name))
		cmd.Stdin = strings.NewReader("#!/bin/sh\n" + script + "\n")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}

func TestADockerContainerIsRestartedByItsID(t *testing.T) {
	text, err := filepath.Abs("testdata/docker_inspect.json")
	if err != nil {
		t.Fatal(err)
	}
	const first, second = "4c01db0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f60", "77aa0b0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f61"
	dir := fakePrograms(t, map[string]string{
		"docker": `case "$*" in
'context inspect --format {{.Endpoints.docker.Host}}') echo "${DOCKER_HOST:-unix:///var/run/docker.sock}" ;;
'ps -q --no-trunc') printf '%s\n' ` + first + ` ` + second + ` ;;
'inspect ` + first + ` ` + second + `') cat '` + text + `' ;;
'restart -t 60 ` + first + `') echo ` + first + ` | tee "$(dirname "$0")/restarted" ;;
"inspect -f {{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.StartedAt}} ` + first + `") echo ` + first + ` 0 true "started-$(cat "$(dirname "$0")/restarted" 2>/dev/null)" ;;
*) echo "unknown command: $*" >&2; exit 64 ;;
esac`,
		"podman": `echo "podman was asked" >&2; exit 64`,
	})
	c, err := FindContainer("docker-proxy", 55432)
	if err != nil {
		t.Fatal(err)
	}
	r, err := PlanRestart(Subject{Container: &c}, "")
	if err != nil || r.Way != WayContainer || r.Describe() != "docker restart -t 60 shop-db-1" || !strings.Contains(r.Evidence, "service db of Compose project shop") {
		t.Fatalf("%s; %s, %v", r, r.Evidence, err)
	}
	if err := r.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if done, err := os.ReadFile(filepath.Join(dir, "restarted")); err != nil || strings.TrimSpace(string(done)) != first {
		t.Errorf("%s, %v", done, err)
	}
	t.Setenv("DOCKER_HOST", "ssh://me@build.example.com")
	if c, err := FindContainer("docker-proxy", 55432); !errors.Is(err, ErrNoContainer) {
		t.Errorf("another machine's engine is asked: %v, %v", c, err)
	}
	t.Setenv("DOCKER_HOST", "")
	if _, err := FindContainer("docker-proxy", 1); !errors.Is(err, ErrNoContainer) {
		t.Error(err)
	}
}

func TestAParentProcessIsSeen(t *testing.T) {
	t.Parallel()
	s, err := SubjectOf(os.Getpid())
	if !errors.Is(err, ErrNoPostmaster) && !errors.Is(err, ErrNotReadable) || s.Exe == "" || len(s.Args) == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	cmd := exec.Command("sh", "-c", `read line; echo "$line"`)
	cmd.Env = append(os.Environ(), "PC_PROC_NAME=pg")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	child, _ := SubjectOf(cmd.Process.Pid)
	if len(child.Parents) == 0 || child.Parents[0].PID != os.Getpid() || child.variable("PC_PROC_NAME") != "pg" || !child.below(os.Getpid()) || child.below(0) {
		t.Errorf("parents of %d: %+v", cmd.Process.Pid, child.Parents)
	}
}

func TestAContainerSeenByItsCgroupIsToldUnlessItIsOurs(t *testing.T) {
	t.Parallel()
	id := "4c01db0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f60"
	for text, want := range map[string]string{
		"0::/system.slice/docker-" + id + ".scope\n": "docker",
		"9:cpu:/docker/" + id + "\n":                 "docker",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container\n": "podman",
		"0::/system.slice/postgresql.service\n":                                                           "",
	} {
		c := containerIn(text, "0::/\n")
		if (c != nil) != (want != "") || c != nil && (c.Engine != want || c.ID != id) {
			t.Errorf("%q: %+v", text, c)
		}
		if containerIn(text, text) != nil {
			t.Errorf("%q: from within the container itself", text)
		}
	}
}
