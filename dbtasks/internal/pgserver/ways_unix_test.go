//go:build unix

package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

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
		if (c != nil) != (want != "") || c != nil && (c.Engine.Program != want || c.ID != id) {
			t.Errorf("%q: %+v", text, c)
		}
		if containerIn(text, text) != nil {
			t.Errorf("%q: from within the container itself", text)
		}
	}
}
