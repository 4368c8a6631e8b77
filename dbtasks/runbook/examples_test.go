package runbook_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// The examples of the documentation, run in a project whose database has three
// idle sessions.
func TestTheExamplesOfTheDocumentationDoWhatTheySay(t *testing.T) {
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, ".env"), []byte("DATABASE_URL="+db.URL("connection_limit=5")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	t.Setenv("DATABASE_URL", "") // it would come before the file's
	_ = os.Unsetenv("DATABASE_URL")
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=left"), Sessions: 3})
	for _, example := range []struct {
		run  func()
		keys string
		want string
	}{
		{run: ExampleRunbook_Pool, want: "gate: 3 sessions are left\n"},
		{run: ExampleRunbook_Monitor, want: "true 3 sessions\n"},
		{run: ExampleRunbook_Test, want: "enough: true\n"},
		{run: ExampleRunbook_Cleanup, keys: "n\n", want: "end 3 sessions? nothing was ended\n"},
		{run: ExampleRunbook_Cleanup, keys: "y\n", want: "end 3 sessions? 3 ended, <nil>\n"},
		{run: ExampleRunbook_Pool, want: "gate: <nil>\n"},
	} {
		if said := printed(t, example.keys, example.run); !strings.Contains(said, example.want) {
			t.Errorf("%q, want %q", said, example.want)
		}
	}
}

// printed is what a call prints that reads these keys.
func printed(t *testing.T, keys string, call func()) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdin, stdout := os.Stdin, os.Stdout
	defer func() { os.Stdin, os.Stdout = stdin, stdout }()
	os.Stdin, os.Stdout = in, out
	call()
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
