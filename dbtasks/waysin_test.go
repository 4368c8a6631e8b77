package dbtasks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The three ways into a magefile that docs/setup.md shows are compiled and run
// as they stand there.
func TestTheWaysIntoAMagefileThatTheDocumentationShowsWork(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles magefiles of another module")
	}
	page, err := os.ReadFile(filepath.Join("docs", "setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "## In a magefile of your own\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	var files []string
	for i, part := range strings.Split(chapter, "```") {
		if text, isGo := strings.CutPrefix(part, "go\n"); i%2 == 1 && isGo {
			files = append(files, text)
		}
	}
	ways := []struct {
		targets []string // beside the others
		args    []string
		want    string
		code    int
	}{
		{targets: []string{"db:cleanup", "build"}, args: []string{"db:test"}, want: "DATABASE_URL", code: 2},
		{targets: []string{"pg:db:cleanup", "db:seed"}, args: []string{"pg:db:cleanup", "-idle=5"}, want: "Next: go tool mage pg:db:cleanup -idle=5m", code: 2},
		{targets: []string{"ci*"}, args: []string{"db:test"}, want: "SHOP_DATABASE_URL", code: 2},
	}
	if len(files) != len(ways) {
		t.Fatalf("%d magefiles in the chapter, want %d", len(files), len(ways))
	}
	for i, way := range ways {
		t.Run(way.targets[0], func(t *testing.T) {
			t.Parallel()
			dir := moduleWith(t, "magefile.go", files[i])
			out, err := mage(t, dir, "-l")
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, files[i])
			}
			for _, target := range way.targets {
				if !slices.Contains(listed(out), target) {
					t.Errorf("mage -l has no %s: %s", target, out)
				}
			}
			out, err = mage(t, dir, way.args...)
			if exitCode(err) != way.code || !strings.Contains(out, way.want) {
				t.Errorf("mage %s: exit %d\n%s\nwant exit %d and %q", strings.Join(way.args, " "), exitCode(err), out, way.code, way.want)
			}
		})
	}
}

func TestAProgramWithoutMageRunsTheEngineItsChildrenIncluded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a program of another module")
	}
	dir := moduleWith(t, "main.go", `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func main() {
	fmt.Println("main began")
	rb, err := runbook.OpenWith(".", runbook.OpenOptions{NoProject: true})
	if err == nil {
		var r runbook.DrillReport
		r, err = rb.Drill(context.Background(), runbook.DrillOptions{Slots: 20}, nil)
		fmt.Println("freed", r.Cleanup.Ended+r.Cleanup.Freed > 0)
	}
	if f := runbook.AsFailure(err); f != nil {
		fmt.Println(f.Message)
		os.Exit(f.ExitStatus())
	}
}
`)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", "service", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := exec.CommandContext(ctx, filepath.Join(dir, "service"))
	run.Dir, run.Env = dir, withoutSettings(os.Environ())
	out, err := run.CombinedOutput()
	if err != nil || strings.Count(string(out), "main began") != 1 || !strings.Contains(string(out), "freed true") {
		t.Errorf("%v: %s", err, out)
	}
}
