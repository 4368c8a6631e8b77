//go:build linux

package faults

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// row is what became of one fault.
type row struct {
	group, fault, target string
	said                 string
	exit                 int
	took                 time.Duration
	left                 string // behind; empty: nothing
	verdict              string // pass, FAIL, skipped
}

var table struct {
	sync.Mutex
	rows []*row
}

func record(r *row) {
	table.Lock()
	defer table.Unlock()
	table.rows = append(table.rows, r)
}

// printTable writes the table to the terminal, and as Markdown to the file of
// DBTASKS_FAULT_TABLE.
func printTable(t *testing.T) {
	table.Lock()
	defer table.Unlock()
	order := map[string]int{}
	for i, g := range groups {
		order[g.name] = i
	}
	slices.SortStableFunc(table.rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(order[a.group], order[b.group]), cmp.Compare(a.fault, b.fault))
	})
	out, done := terminal()
	defer done()
	for _, r := range table.rows {
		fmt.Fprintf(out, "%-7s %-9s %-58s exit %d %5.1f s  left: %-8s %s\n", r.verdict, r.group, r.fault, r.exit, r.took.Seconds(), r.leftWords(), r.said)
	}
	fmt.Fprintf(out, "%s\n", summary())
	if path := os.Getenv("DBTASKS_FAULT_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(markdown()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func (r *row) leftWords() string { return cmp.Or(r.left, "nothing") }

func summary() string {
	count := map[string]int{}
	for _, r := range table.rows {
		count[r.verdict]++
	}
	return fmt.Sprintf("%d faults: %d pass, %d fail, %d skipped", len(table.rows), count["pass"], count["FAIL"], count["skipped"])
}

func markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The fault table\n\n%s. Written by `DBTASKS_FAULT_TABLE=<file> go test ./dbtasks/internal/faults -run Fault`; ports, pids and names differ from run to run.\n", summary())
	b.WriteString("\n| group | fault | command | it said | exit | took | left behind | |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range table.rows {
		cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %d | %.1f s | %s | %s |\n", r.group, cell(r.fault), r.target, cell(r.said), r.exit, r.took.Seconds(), r.leftWords(), r.verdict)
	}
	return b.String()
}

// terminal is where the table goes: our own output, or, because "go test" of
// several packages hides the output of those that pass, that of the go command
// above us when -run asked for faults.
func terminal() (out io.Writer, done func()) {
	done = func() {}
	run := flag.Lookup("test.run").Value.String()
	if testing.Verbose() || !strings.Contains(strings.ToLower(run), "fault") {
		return os.Stdout, done
	}
	parent := fmt.Sprintf("/proc/%d/", os.Getppid())
	if exe, err := os.Readlink(parent + "exe"); err != nil || filepath.Base(exe) != "go" {
		return os.Stdout, done
	}
	f, err := os.OpenFile(parent+"fd/1", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return os.Stdout, done
	}
	return f, func() { _ = f.Close() }
}
