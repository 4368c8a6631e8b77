//go:build unix

package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
*) echo "unknown command: $*" >&2; exit 64 ;;
esac`,
		"podman": `echo "podman was asked" >&2; exit 64`,
	})
	c, err := FindContainer("docker-proxy", 55432)
	if err != nil {
		t.Fatal(err)
	}
	r := PlanContainerRestart(c)
	if r.Kind != RestartByContainer || r.Describe() != "docker restart -t 60 shop-db-1" || !strings.Contains(r.Evidence, "service db of Compose project shop") {
		t.Errorf("%s; %s", r, r.Evidence)
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

func TestASystemdUnitIsRestartedWithTheRightsThatThereAre(t *testing.T) {
	systemctl := `case "$*" in
'show -p MainPID --value postgresql@15-main.service') echo 4711 ;;
'--user show -p MainPID --value pg.service') echo 4711 ;;
*) echo "unknown: $*" >&2; exit 64 ;;
esac`
	fakePrograms(t, map[string]string{"systemctl": systemctl, "sudo": `[ "$*" = '-n -l systemctl restart postgresql@15-main.service' ]`})
	system := surroundings{cgroup: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"}
	want := "sudo -n systemctl restart postgresql@15-main.service"
	if os.Geteuid() == 0 {
		want = "systemctl restart postgresql@15-main.service"
	}
	if r, ok, err := planSystemd(Postmaster{PID: 4711}, system); !ok || err != nil || r.Describe() != want {
		t.Errorf("%v %v %v", r, ok, err)
	}
	if r, ok, err := planSystemd(Postmaster{PID: 4712}, system); ok || err != nil {
		t.Errorf("not the unit's main process: %v %v", r, err)
	}
	own := surroundings{cgroup: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/pg.service\n"}
	if r, ok, err := planSystemd(Postmaster{PID: 4711}, own); !ok || err != nil || r.Describe() != "systemctl --user restart pg.service" {
		t.Errorf("%v %v %v", r, ok, err)
	}
	if os.Geteuid() == 0 {
		return
	}
	fakePrograms(t, map[string]string{"sudo": `echo "sudo: a password is required" >&2; exit 1`})
	var manual *ManualRestart
	if _, _, err := planSystemd(Postmaster{PID: 4711}, system); !errors.As(err, &manual) || manual.Command != "sudo systemctl restart postgresql@15-main.service" {
		t.Errorf("%v", err)
	}
}

func TestAParentProcessIsSeen(t *testing.T) {
	t.Parallel()
	s := surroundingsOf(os.Getpid())
	if s.exe == "" || len(s.args) == 0 {
		t.Errorf("%+v", s)
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
	child := surroundingsOf(cmd.Process.Pid)
	if len(child.parents) == 0 || strings.Join(child.parents[0].args, " ") != strings.Join(s.args, " ") || child.variable("PC_PROC_NAME") != "pg" {
		t.Errorf("parents of %s: %+v", strconv.Itoa(cmd.Process.Pid), child.parents)
	}
}

func TestAContainerSeenByItsCgroupIsRestartedUnlessItIsOurs(t *testing.T) {
	fakePrograms(t, map[string]string{"docker": "exit 1", "podman": "exit 1"})
	id := "4c01db0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f60"
	for text, want := range map[string]string{
		"0::/system.slice/docker-" + id + ".scope\n": "docker restart -t 60 " + id,
		"9:cpu:/docker/" + id + "\n":                 "docker restart -t 60 " + id,
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container\n": "podman restart -t 60 " + id,
		"0::/system.slice/postgresql.service\n":                                                           "",
	} {
		r, ok, err := containerPlan(text, "0::/\n")
		if err != nil || ok != (want != "") || r.Describe() != want {
			t.Errorf("%q: %v %v %v", text, r, ok, err)
		}
		if _, ok, _ := containerPlan(text, text); ok {
			t.Errorf("%q: from within the container itself", text)
		}
	}
}
