package cli

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/magefile/mage/parse"
)

// The table is made from the targets' source, as Mage parses it:
// DBTASKS_GENERATE=1 go test ./dbtasks/internal/cli -run Table writes it anew.
func TestTheTableIsThatOfTheTargets(t *testing.T) {
	const dir = "../.."
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			names = append(names, filepath.Base(f))
		}
	}
	info, err := parse.Package(dir, names, false)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(info.Funcs, func(a, b *parse.Function) int {
		return strings.Compare(strings.ToLower(a.TargetName()), strings.ToLower(b.TargetName()))
	})
	var b bytes.Buffer
	b.WriteString("// Code generated from the targets' source by the test of this table. DO NOT EDIT.\n\npackage cli\n\n// Targets are all targets of this module, by name.\nvar Targets = []Target{\n")
	for _, f := range info.Funcs {
		fmt.Fprintf(&b, "{Name: %q, Synopsis: %q, Help: %q, Flags: []Flag{\n", strings.ToLower(f.TargetName()), f.Synopsis, f.Comment)
		for _, a := range f.Args {
			fmt.Fprintf(&b, "{Name: %q, Type: %q, Help: %q},\n", a.Name, a.Type, a.Comment)
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
	text, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("DBTASKS_GENERATE") != "" {
		if err := os.WriteFile("table.go", text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile("table.go"); err != nil || !bytes.Equal(have, text) {
		t.Errorf("table.go is not that of the targets any more (%v); DBTASKS_GENERATE=1 go test ./dbtasks/internal/cli -run Table writes it anew", err)
	}
}
