package pgserver_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestAPostmasterIsFoundByItsWorkingDirectoryOrItsArguments(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	exe := filepath.Join(pgtest.Binaries(t).Dir, "postgres")
	for name, look := range map[string]struct {
		exe  string
		args []string
		cwd  string
	}{
		"working directory":               {exe, []string{"postgres"}, s.DataDir},
		"arguments":                       {exe, []string{"postgres", "-D", s.DataDir}, ""},
		"-D is a folder of settings only": {exe, []string{"postgres", "-D", t.TempDir()}, s.DataDir},
		"executable not known":            {"", nil, s.DataDir},
		"executable was upgraded":         {"/gone/postgres (deleted)", nil, s.DataDir},
	} {
		pm, err := pgserver.Inspect(s.PID, look.exe, look.args, look.cwd)
		if err != nil || pm.Port != s.Port || pm.DataDir != s.DataDir || pm.Bin != filepath.Dir(exe) {
			t.Errorf("%s: %+v, %v", name, pm, err)
		}
	}
	if _, err := pgserver.Inspect(s.PID+1, exe, nil, s.DataDir); !errors.Is(err, pgserver.ErrNoPostmaster) {
		t.Errorf("another pid: %v", err)
	}
	if _, err := pgserver.Inspect(s.PID, exe, nil, t.TempDir()); !errors.Is(err, pgserver.ErrNoPostmaster) {
		t.Errorf("another folder: %v", err)
	}
}

func TestADataDirectoryOfAnotherUserIsSaidToBeNotReadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() <= 0 {
		t.Skip("root may read everything; on Windows it is another matter")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	if _, err := pgserver.Inspect(os.Getpid(), "", nil, dir); !errors.Is(err, pgserver.ErrNotReadable) {
		t.Error(err)
	}
}
