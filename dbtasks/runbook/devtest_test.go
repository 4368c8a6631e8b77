//go:build unix

package runbook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/joho/godotenv"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func init() {
	reexec.Register("dev-app", devApp)
	reexec.Register("dev-stop", devStop)
}

// devApp is an application: it reads APP_URL from the .env of its folder,
// opens SESSIONS sessions there, listens on PORT, where there is one, and
// stays until it is ended.
func devApp([]string) int {
	fail := func(err error) int { fmt.Fprintln(os.Stderr, "app:", err); return 1 }
	values, _ := godotenv.Read(".env")
	for n, _ := strconv.Atoi(os.Getenv("SESSIONS")); n > 0; n-- {
		if _, err := pgx.Connect(context.Background(), values["APP_URL"]); err != nil {
			return fail(err)
		}
	}
	if port := os.Getenv("PORT"); port != "" {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			return fail(err)
		}
		defer l.Close()
	}
	fmt.Println("listening")
	time.Sleep(time.Minute) // nobody waits for it: whoever leaves it behind fails
	return 0
}

// devStop is dev:stop in the folder that it runs in; its report goes to
// standard output.
func devStop([]string) int {
	d, err := runbook.Open(".")
	if err == nil {
		var r runbook.StopReport
		if r, err = d.Stop(context.Background(), runbook.StopOptions{}); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// devEnv is the .env of a project whose application is devApp.
func devEnv(t *testing.T, root string, db pgtest.Database) {
	t.Helper()
	lines := "APP_URL='" + db.URL() + "'\nDATABASE_URL='" + db.URL("connection_limit=5") + "'\n"
	if err := os.WriteFile(filepath.Join(root, ".env"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// copyOfSelf is this program under another name: what a process is, is told
// by its executable.
func copyOfSelf(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	// By cp: a file that we write ourselves is busy while a parallel test forks.
	if said, err := exec.Command("cp", self(t), path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return path
}

// serverJS listens on PORT and says so; with STUBBORN it ignores TERM.
const serverJS = `
if (process.env.STUBBORN) process.on('SIGTERM', () => {})
require('net').createServer(() => {}).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'))
`

// nodeProject is a project whose dev script is a real node server.
func nodeProject(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	root := t.TempDir()
	files := map[string]string{"package.json": `{"name":"shop","scripts":{"dev":"node server.js","test:run":"exit 7","start":"DBTASKS_ROLE=dev-stop \"$SELF\""}}`, "server.js": serverJS}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// npmEnv is our own environment with an npm that leaves nothing behind.
func npmEnv(t *testing.T) []string {
	t.Helper()
	return append(os.Environ(), "npm_config_update_notifier=false", "npm_config_cache="+t.TempDir())
}

// started runs a command in its own process group until the test ends and
// waits for its line "listening".
func started(t *testing.T, dir string, port int, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(npmEnv(t), "PORT="+strconv.Itoa(port)), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	listening := make(chan struct{})
	go func() {
		said := sync.OnceFunc(func() { close(listening) })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "listening") {
				said()
			}
		}
		_ = cmd.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that we made
		<-gone
	})
	select {
	case <-listening:
	case <-gone:
		t.Fatalf("%v ended at once: %v\n%s", args, cmd.ProcessState, &complaints)
	case <-time.After(20 * time.Second):
		t.Fatalf("%v does not listen", args)
	}
	return cmd
}

func listens(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func alive(pid int) bool {
	p, err := hostops.Find(pid)
	return err == nil && p.State != hostops.Zombie
}

func TestDevTestPassesTheExitCodeOnAndWithoutAScriptTouchesNothing(t *testing.T) {
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(2, "old")
	url := "DATABASE_URL=" + db.URL("connection_limit=5")
	o, _ := quiet(t, runbook.StartOptions{})
	_, err := opened(t, project(t), url).DevTest(ctx, o.Stdin, o.Stdout, o.Stderr)
	if f := runbook.AsFailure(err); f == nil || f.Exit != runbook.ExitSettings || !strings.Contains(f.Next, "DBTASKS_TEST_COMMAND") {
		t.Errorf("without a script: %+v", f)
	}
	if n := s.Sessions(db.Name); n != 2 {
		t.Errorf("%d sessions after settings that are wrong, want 2", n)
	}
	r, err := opened(t, nodeProject(t), url).DevTest(ctx, o.Stdin, o.Stdout, o.Stderr)
	if err != nil || r.ExitCode != 7 || r.OK || r.Command != "npm run test:run" || len(r.Sessions) != 0 || r.Cleanup.Ended != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSessionsOfWhatTheTestsLeftRunningEndWithItAndOthersAreCounted(t *testing.T) {
	root := project(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	devEnv(t, root, db)
	busy := db.Open(1, "busy")[0] // the cleanup spares it, and it is no session of the tests
	if _, err := busy.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	// In the background it outlives its shell; the tests end when it has its
	// sessions and "go" is there.
	d := opened(t, root, "DBTASKS_TEST_COMMAND=PORT= SESSIONS=3 DBTASKS_ROLE=dev-app '"+self(t)+"' > said & until grep -q listening said && test -e go; do sleep 0.05; done")
	o, _ := quiet(t, runbook.StartOptions{})
	type end struct {
		r   runbook.DevTestReport
		err error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := d.DevTest(ctx, o.Stdin, o.Stdout, o.Stderr)
		ended <- end{r, err}
	}()
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 20*time.Second, "the tests have their sessions", func() bool { return pgtest.Count(t, admin, "application_name = 'shop'") == 3 })
	db.Open(1, "elsewhere")
	db.Open(1, "dbtasks") // another target of this tool
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := <-ended
	if e.err != nil || !e.r.OK || len(e.r.Sessions) != 1 || e.r.Sessions[0].ApplicationName != "elsewhere" {
		t.Errorf("%+v, %v", e.r, e.err)
	}
	if n := pgtest.Count(t, admin, "application_name = 'shop'"); n != 0 {
		t.Errorf("%d sessions of the tests are left", n)
	}
}
