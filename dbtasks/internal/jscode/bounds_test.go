package jscode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// A stack that is used up ends the process, and no recover helps: this test
// passes where it comes to its end.
func TestNoTextUsesUpTheStack(t *testing.T) {
	for _, piece := range []string{"(", "[", "{a:", "!", "- ", "a=", "a=>", "a?b:", "if(a)", "new ", "await ", "a+", "a.", "a**", "a,", "`${", "for(;;)", "do ",
		"function f(){", "<a>", "a??", "x[", "if(a)b;else ", "async ()=>", "a={}\n=", "[,]=", "a=>\n\n", "(a,b)=>", "if(a){}else ", "a=\n\n"} {
		text := strings.Repeat(piece, maxFile/len(piece))
		if src, err := parseJS(text, api.LoaderTSX, false); err == nil {
			(&Module{path: "a.ts", sources: []*source{src}}).analyse()
		}
		if src, _ := parseJSON(text); src != nil {
			t.Errorf("%q is taken for JSON", piece)
		}
	}
}

// project writes files into a folder of its own and reads them.
func project(t *testing.T, ctx context.Context, o Options, files map[string]string) (*Code, error) {
	t.Helper()
	root := t.TempDir()
	var names []string
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return Read(ctx, root, names, o)
}

// doubled is a module in which every value is made of two of the one before:
// followed to its end, it has 2^60 steps.
func doubled(uses int) string {
	var b strings.Builder
	b.WriteString("import { Pool } from 'pg';\nimport { x0 } from './other';\nconst a0 = { ...x0, max: 4 };\nconst f0 = (n) => x0(n);\n")
	for i := range 60 {
		fmt.Fprintf(&b, "const a%[1]d = { ...a%[2]d, ...(n%[1]d ? a%[2]d : f%[2]d(a%[2]d)) };\nconst f%[1]d = (n) => f%[2]d(f%[2]d(n)) ?? f%[2]d(a%[1]d);\nlet n%[1]d = f%[1]d; n%[1]d = n%[1]d.next(n%[2]d);\n", i+1, i)
	}
	for i := range uses {
		fmt.Fprintf(&b, "export const p%d = f60(new Pool(f60(a60)), a60, %d);\n", i, i)
	}
	return b.String()
}

func TestReadingEndsWhateverTheValuesAreMadeOf(t *testing.T) {
	t.Parallel()
	began := time.Now()
	p, err := project(t, t.Context(), Options{Most: 3 * time.Second}, map[string]string{"db.js": doubled(300), "other.js": "export * from './db';\nexport { p1 as x0 } from './db';\n"})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("took %s", took)
	}
	if len(p.Unfinished()) == 0 && !p.Stopped() {
		t.Error("nothing says that it was not read to its end")
	}
}

func TestAnInterruptEndsReadingAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := project(t, ctx, Options{Most: time.Hour}, map[string]string{"db.js": doubled(4000), "other.js": "export * from './db';\n"})
		done <- err
	}()
	time.AfterFunc(300*time.Millisecond, cancel)
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}

func TestAProjectThatIsNotReadInTimeSaysSo(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("m%d.js", i)] = "import { Pool } from 'pg';\nexport const pool = new Pool();\n"
	}
	p, err := project(t, t.Context(), Options{Most: time.Nanosecond}, files)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Stopped() {
		t.Error("it is taken for read")
	}
}
