package runbook_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// goRunners are Go's live-reload tools that the module proxy has, and where they
// are built from; "go run" is Go itself.
var goRunners = []struct {
	name, module string
	line         string // how it is called
}{
	{name: "air", module: "github.com/air-verse/air@v1.67.4", line: "air"},
	{name: "reflex, go run", module: "github.com/cespare/reflex@v0.3.1", line: `reflex -s -r [.]go$ -- go run .`},
	{name: "reflex, a program in the project", module: "github.com/cespare/reflex@v0.3.1", line: `reflex -s -r [.]go$ -- sh -c "go build -o tmp/web . && exec ./tmp/web"`},
	{name: "go run", line: "go run ."},
}

func TestEveryLiveReloadOfGoIsStoppedWithItsWholeTreeAsItRunsAndOrphaned(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, runner := range goRunners {
		program, _, _ := strings.Cut(runner.line, " ")
		if runner.module != "" {
			cmd := exec.Command("go", "install", runner.module)
			cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
			if out, err := cmd.CombinedOutput(); err != nil {
				if os.Getenv("CI") != "" {
					t.Errorf("%s: %v: %s", runner.module, err, out)
				} else {
					t.Logf("%s is not to be had: %v: %s", program, err, out)
				}
				continue
			}
		}
		for _, orphaned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s orphaned %v", runner.name, orphaned), func(t *testing.T) {
				root, port := t.TempDir(), pgtest.FreePort(t)
				for name, text := range map[string]string{
					"go.mod":  "module example.com/shop\n\ngo 1.26.0\n",
					"main.go": "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() { _ = http.ListenAndServe(\"127.0.0.1:\"+os.Getenv(\"MYPORT\"), nil) }\n",
				} {
					if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command("sh", "-c", "exec "+strings.ReplaceAll(runner.line, "[.]go$", "'[.]go$'"))
				cmd.Dir = root
				cmd.Env = append(os.Environ(), "MYPORT="+strconv.Itoa(port), "PATH="+bin+":"+os.Getenv("PATH"), "CGO_ENABLED=0", "GOFLAGS=")
				startRunner(t, cmd, port)
				stoppedWhole(t, root, cmd, port, orphaned, func(hostops.Process) bool { return false })
			})
		}
	}
}
