package dbtasks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// scaffolded is a Vite project with node-postgres that dev:init was run in by
// the compiled runbook.
func scaffolded(t *testing.T) string {
	t.Helper()
	dir := emptyProject(t)
	initialised(t, dir)
	return dir
}

func emptyProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := `{"name":"shop","type":"module","scripts":{"dev":"vite"},"dependencies":{"pg":"8"},"devDependencies":{"vite":"8"}}`
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func initialised(t *testing.T, dir string) outcome {
	t.Helper()
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	o := runIn(t, dir, []string{"DBTASKS_SOURCE=" + source}, "dev:init")
	if o.code != 0 || !strings.Contains(o.stdout, "Wrote ") || !strings.Contains(o.stdout, "lib/db.js") {
		t.Fatal(o)
	}
	return o
}

func TestWhatInitWritesRunsWithoutGoAndWithIt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not here")
	}
	dir := scaffolded(t)
	wrapper := func(args ...string) (string, int) {
		cmd := exec.Command("bash", append([]string{filepath.Join(dir, "scripts", "run-target.sh")}, args...)...)
		cmd.Dir = os.TempDir()
		cmd.Env = append(withoutSettings(os.Environ()), "MAGEFILE_CACHE="+filepath.Join(dir, "cache"))
		out, err := cmd.CombinedOutput()
		return string(out), exitCode(err)
	}
	check := func(with string) {
		t.Helper()
		out, code := wrapper("-l")
		if got := listed(out); code != 0 || !slices.Equal(got, wanted("")) {
			t.Errorf("%s: exit %d, -l lists %q", with, code, got)
		}
		// A listing is green over a magefile that does not compile.
		if out, code := wrapper("db:test"); code != 2 || !strings.Contains(out, "DATABASE_URL") {
			t.Errorf("%s: db:test without settings: exit %d\n%s", with, code, out)
		}
	}
	check("the compiled runbook")
	if testing.Short() {
		return // below, the project's magefile is compiled
	}
	if err := os.Remove(filepath.Join(dir, "bin", "dbtasks")); err != nil {
		t.Fatal(err)
	}
	check("the magefile")
	inThreeSpellings(t, dir)
	if out, code := wrapper("db:cleanup", "--dry"); code != 2 || strings.Contains(out, "flag") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// inThreeSpellings runs the 3 a.m. page's command from a project's root.
func inThreeSpellings(t *testing.T, dir string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mage")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/magefile/mage").CombinedOutput(); err != nil {
		t.Fatalf("build mage: %v: %s", err, out)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	spellings := [][]string{{program, "db:cleanup"}, {"go", "tool", "mage", "db:cleanup"}, {"npm", "run", "db:cleanup"}}
	for _, spelling := range spellings {
		if _, err := exec.LookPath(spelling[0]); err != nil {
			npmtest.Unavailable(t, spelling[0]+" is not here")
		}
		db.Open(2, "leak")
		cmd := exec.Command(spelling[0], spelling[1:]...)
		cmd.Dir = dir
		cmd.Env = append(withoutSettings(os.Environ()), "MAGEFILE_CACHE="+filepath.Join(dir, "cache"), "DATABASE_URL="+db.URL("connection_limit=5"))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Ended 2 idle sessions") {
			t.Errorf("%s: %v: %s", strings.Join(spelling, " "), err, out)
		}
	}
}

func TestInAGoModuleOfOnesOwnTheCommandsThatInitShowsMakeAllSpellingsWork(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the runbook")
	}
	dir := emptyProject(t)
	const mod = "module example.com/shop\n\ngo 1.26.0\n"
	for name, text := range map[string]string{"go.mod": mod, "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := initialised(t, dir)
	if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err != nil || string(text) != mod {
		t.Fatalf("go.mod was written: %s, %v", text, err)
	}
	_, shown, found := strings.Cut(o.stdout, "differs  go.mod: ")
	if !found {
		t.Fatal(o)
	}
	for _, line := range strings.Split(shown, "\n")[1:4] {
		cmd := exec.Command("sh", "-c", strings.TrimSpace(line))
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	inThreeSpellings(t, dir)
	if o := runIn(t, dir, nil, "dev:init"); o.code != 0 || !strings.HasPrefix(o.stdout, "Nothing to do: ") {
		t.Error(o)
	}
}

func TestInitTwiceHasNothingToDo(t *testing.T) {
	t.Parallel()
	dir := scaffolded(t)
	o := runIn(t, dir, nil, "dev:init")
	if o.code != 0 || !strings.HasPrefix(o.stdout, "Nothing to do: ") {
		t.Error(o)
	}
}

func TestTheOutputOfInitIsAPatchThatTakesTheDifferenceOver(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("patch is not here")
	}
	dir := scaffolded(t)
	leaks := "import pg from 'pg';\n\nexport default new pg.Pool();\n"
	if err := os.WriteFile(filepath.Join(dir, "lib", "db.js"), []byte(leaks), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runIn(t, dir, nil, "dev:init")
	if o.code != 0 || !strings.Contains(o.stdout, "makes a new client at every reload") || !strings.Contains(o.stdout, "dev:init | patch -p1") {
		t.Fatal(o)
	}
	patch := exec.Command("patch", "-p1")
	patch.Dir, patch.Stdin = dir, strings.NewReader(o.stdout)
	if out, err := patch.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, o.stdout)
	}
	if o := runIn(t, dir, nil, "dev:init"); o.code != 0 || !strings.HasPrefix(o.stdout, "Nothing to do: ") {
		t.Error(o)
	}
}

func TestInitIsTakenOutAgain(t *testing.T) {
	t.Parallel()
	dir := scaffolded(t)
	state := []string{"XDG_STATE_HOME=" + filepath.Join(compiled.dir, "state")} // of scaffolded's run
	if o := runIn(t, dir, state, "dev:init", "-undo", "-dry"); o.code != 0 || !strings.HasPrefix(o.stdout, "Would take dev:init out of ") {
		t.Fatal(o)
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "dbtasks")); err != nil {
		t.Fatal("a dry run has removed bin/dbtasks")
	}
	if o := runIn(t, dir, state, "dev:init", "-undo"); o.code != 0 || !strings.HasPrefix(o.stdout, "Took dev:init out of ") {
		t.Fatal(o)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "package.json" {
		t.Errorf("left: %q, %v", left, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "package.json")); err != nil || strings.Contains(string(text), "db:cleanup") {
		t.Errorf("package.json: %s, %v", text, err)
	}
	if o := runIn(t, dir, state, "dev:init", "-undo"); o.code != 2 || !strings.Contains(o.stderr, "Nothing is recorded") {
		t.Error(o)
	}
}
