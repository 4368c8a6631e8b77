package dbtasks

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// fromMage tells a program that Mage has compiled, whose command line is that of
// its targets: it lies in Mage's cache, named by a checksum (of 64 digits, SHA-256,
// since Mage 1.17; of 40 before), or is called dbtasks as everywhere in this project's words. Any other program that
// imports this package has a command line of its own.
func fromMage(executable string) bool {
	name := strings.TrimSuffix(filepath.Base(executable), ".exe")
	return named(name) || (len(name) == 64 || len(name) == 40) && strings.Trim(name, "0123456789abcdef") == ""
}

// readCommandLine gives Mage's own reading, which follows, a command line that
// it reads as it was meant, or ends the program with what is wrong about it.
func readCommandLine(self string) {
	args := os.Args[1:]
	c, err := cli.Read(program(), args, func() []string { return othersOf(self) })
	if err != nil {
		f := runbook.AsFailure(err)
		if slices.Contains(args, "-json") || slices.Contains(args, "--json") {
			screen.New(os.Stdout).Failure(f)
		}
		fmt.Fprintln(os.Stderr, "Error: "+screen.FailureText(f))
		os.Exit(f.Exit)
	}
	if c.Own == "" {
		os.Args = append(os.Args[:1:1], c.Args...)
		return
	}
	os.Exit(own(c))
}

// lateLook goes over the command line where the program's name has not told that
// it is Mage's: a target that runs does.
func lateLook(target string) error {
	self, err := os.Executable()
	called := slices.ContainsFunc(os.Args[1:], func(word string) bool { t, ok := cli.Find(word); return ok && t.Name == target })
	if err != nil || fromMage(self) || !called {
		return nil
	}
	_, err = cli.Read(program(), os.Args[1:], func() []string { return othersOf(self) })
	return err
}

// own does what this package's own words ask for.
func own(c cli.Command) int {
	name := filepath.Base(os.Args[0])
	if fields := strings.Fields(program()); len(fields) == 1 && filepath.Base(fields[0]) == "mage" {
		name = "mage"
	}
	switch c.Own {
	case "version":
		fmt.Printf("dbtasks %s, %s %s/%s\n", cli.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	case "man":
		fmt.Print(cli.Man(name, cli.Version()))
	case "completion":
		shell := strings.Join(c.Rest, " ")
		script, ok := cli.Completion(shell, name)
		if !ok {
			fmt.Fprintf(os.Stderr, "Error: completion is for %s, not for %q; nothing was touched.\nNext: source <(%s completion bash)\n", strings.Join(cli.Shells, ", "), shell, program())
			return runbook.ExitSettings
		}
		fmt.Print(script)
	}
	return 0
}

// othersOf are the names of all targets that the program has, the importer's
// own among them, by the program's own list.
func othersOf(self string) (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, self, "-l").Output()
	if err != nil {
		return nil
	}
	listed := false
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		if lines.Text() == "Targets:" {
			listed = true
		} else if fields := strings.Fields(lines.Text()); listed && len(fields) > 0 {
			names = append(names, strings.TrimSuffix(fields[0], "*"))
		}
	}
	return names
}
