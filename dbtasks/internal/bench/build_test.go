//go:build unix

package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// firstUse is what somebody waits for who has nothing built yet.
type firstUse struct {
	what string
	took float64 // seconds
	cpu  float64 // seconds of processor time
	aim  float64
}

var firsts []firstUse

// dependency is a module's share of building package dbtasks with an empty
// cache.
type dependency struct {
	module string
	cpu    float64 // seconds of the compiler
}

var dependencies []dependency

// firstUses runs with an empty build cache; the modules are downloaded.
func firstUses(b *testing.B) {
	root := repository(b)
	cache := b.TempDir()
	b.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", cache).Run() })
	for _, one := range []struct {
		what string
		args []string
		aim  float64
	}{
		{"`go tool mage -l`, the list of targets", []string{"go", "tool", "mage", "-l"}, 25},
		{"then the first target, `go tool mage -h dev:check`", []string{"go", "tool", "mage", "-h", "dev:check"}, 0},
		{"then the compiled runbook, `go tool mage build`", []string{"go", "tool", "mage", "-compile", filepath.Join(b.TempDir(), "dbtasks")}, 0},
	} {
		b.Run(strings.ReplaceAll(strings.Join(one.args[:4], "_"), "/", "_"), func(b *testing.B) {
			cpu := children(b)
			took := command{args: one.args, dir: root, env: []string{"GOCACHE=" + cache}}.run(b)
			firsts = append(firsts, firstUse{one.what, took, children(b) - cpu, one.aim})
			b.ReportMetric(took, "s")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("dependencies", func(b *testing.B) { compileTimes(b, root) })
}

// children is the processor time of all processes that were waited for.
func children(b *testing.B) float64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// compileTimes asks the go command how long each package took.
func compileTimes(b *testing.B, root string) {
	graph := filepath.Join(b.TempDir(), "graph.json")
	command{args: []string{"go", "build", "-debug-actiongraph=" + graph, "./dbtasks"}, dir: root, env: []string{"GOCACHE=" + b.TempDir(), "CGO_ENABLED=0"}}.run(b)
	text, err := os.ReadFile(graph)
	if err != nil {
		b.Fatal(err)
	}
	var actions []struct {
		Package         string
		CmdUser, CmdSys time.Duration
	}
	if err := json.Unmarshal(text, &actions); err != nil {
		b.Fatal(err)
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{if .Standard}}the standard library{{else}}{{.Module.Path}}{{end}}", "./dbtasks")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		b.Fatal(err)
	}
	module := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, mod, _ := strings.Cut(strings.TrimSpace(line), " ")
		module[path] = mod
	}
	cpu := map[string]float64{}
	for _, a := range actions {
		cpu[module[a.Package]] += (a.CmdUser + a.CmdSys).Seconds()
	}
	delete(cpu, "")
	for _, mod := range slices.SortedFunc(maps.Keys(cpu), func(x, y string) int { return int(1000 * (cpu[y] - cpu[x])) }) {
		dependencies = append(dependencies, dependency{mod, cpu[mod]})
		if len(dependencies) <= 12 {
			fmt.Printf("%6.1f s  %s\n", cpu[mod], mod)
		}
	}
}
