//go:build unix

package settings

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

func TestAProjectThatOthersCanWriteIsRefused(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]string{"the folder": ".", "package.json": "package.json", ".env": ".env", ".env.local": ".env.local"} {
		dir := project(t, map[string]string{".env": "A=1", ".env.local": "A=2"})
		path := filepath.Join(dir, change)
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
		var trust *plainfile.TrustError
		if _, err := Load(dir, nil); !errors.As(err, &trust) || trust.Fix == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAFolderThatEverybodyMayPutFilesIntoIsNoProject(t *testing.T) {
	t.Parallel()
	shared := project(t, map[string]string{".env": "DBTASKS_RESTART_COMMAND=evil", "mine/deep/x": ""})
	if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(shared, "mine", "deep")
	c, err := Load(mine, nil)
	if err != nil || c.Root != mine || c.RestartCommand != "" {
		t.Errorf("root %v, %v", c, err)
	}
}

func TestTheHomeFolderIsNoProject(t *testing.T) {
	home := project(t, map[string]string{".git/HEAD": "", "work/x": ""})
	t.Setenv("HOME", home)
	work := filepath.Join(home, "work")
	if got := ProjectRoot(work); got != work {
		t.Errorf("a folder below the home folder belongs to %s", got)
	}
	if got := ProjectRoot(home); got != home {
		t.Errorf("%s", got)
	}
}
