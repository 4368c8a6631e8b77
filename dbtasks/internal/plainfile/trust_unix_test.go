//go:build unix

package plainfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileThatOthersCanWriteIsNotTrusted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what         string
		folder, file os.FileMode
		problem, fix string
	}{
		{"one's own", 0o755, 0o644, "", ""},
		{"a secret", 0o700, 0o600, "", ""},
		{"a file that everybody may write", 0o755, 0o666, "by everybody", "chmod o-w "},
		{"a folder that everybody may write", 0o777, 0o644, "by everybody", "chmod o-w "},
		{"a folder as /tmp", 0o777 | os.ModeSticky, 0o644, "everybody's files", "cd to "},
	} {
		dir := filepath.Join(t.TempDir(), "it's here")
		file := filepath.Join(dir, ".env")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]os.FileMode{file: c.file, dir: c.folder} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		err := Trust(file)
		if c.problem == "" {
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		var trust *TrustError
		if !errors.As(err, &trust) || !strings.Contains(trust.Problem, c.problem) || !strings.HasPrefix(trust.Fix, c.fix) || strings.HasPrefix(c.fix, "chmod") && !strings.Contains(trust.Fix, `"it's here`) && !strings.Contains(trust.Fix, "it") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAnotherAccountsFileIsNotTrusted(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, ".env")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	var trust *TrustError
	if err := Trust(file); !errors.As(err, &trust) || !strings.HasPrefix(trust.Fix, "chown ") || !strings.Contains(trust.Error(), "12345") {
		t.Errorf("%v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := Trust(link); !errors.As(err, &trust) {
		t.Errorf("through a link: %v", err)
	}
	if err := Trust(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := Trust(filepath.Join(dir, "none")); !errors.As(err, &trust) {
		t.Errorf("another's folder: %v", err)
	}
}

func TestInSudoTheCallersFilesAreTrusted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUDO_UID", "12345")
	if err := Trust(file); err != nil {
		t.Error(err)
	}
	t.Setenv("SUDO_UID", "54321")
	if err := Trust(file); err == nil {
		t.Error("another's file is trusted")
	}
}
