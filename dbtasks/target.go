package dbtasks

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/magefile/mage/mg"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/crash"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// target is one run of a Mage target.
type target struct {
	tests      bool // the settings are those of test mode
	name       string
	json       bool
	noSettings bool // runs without the project's settings, or with wrong ones: then with the environment's alone
	anyway     bool // runs with missing or wrong settings too: see Runbook.SettingsErr
}

// result is what a target's engine call came to.
type result struct {
	report any // for -json; nil: was printed already
	text   func(*screen.Printer)
	plan   any // of what a refusal by DBTASKS_READONLY has not done; nil: its details have it
	exit   int
	why    string // of an exit that is not 0, for the error's line
	// undelivered is why not all that was printed on the way arrived.
	undelivered error
}

// run decodes what Mage leaves undecoded, makes the one engine call, prints,
// and turns the outcome into Mage's exit code. Of a panic it is not known how
// far it got: exit 1.
func (t target) run(ctx context.Context, call func(context.Context, *runbook.Runbook) (result, error)) (err error) {
	defer func() {
		if p := crash.Caught(recover()); p != nil {
			err = t.fail(&runbook.Failure{Exit: runbook.ExitNotDone, Code: "crashed", Details: p.Where(6),
				Message: fmt.Sprintf("dbtasks has a fault and stopped half-way: %s. What was done before is not known.", p),
				Next:    "look at what is there: " + program() + " " + cli.WithAlias(cli.Alias(os.Args[1:]), "db:who")})
		}
	}()
	if err := lateLook(t.name); err != nil {
		return t.fail(err)
	}
	// Mage cancels ctx on SIGINT alone; to TERM and HUP a target would die
	// without cleaning up, or live on as an orphan.
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGQUIT} // of QUIT, Go dies with exit code 2
	if !signal.Ignored(syscall.SIGHUP) {                     // else it was ignored on purpose: nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	defer stop()
	d, err := t.open()
	if err != nil {
		return t.fail(err)
	}
	for _, note := range d.Notes() {
		say("note: " + note)
	}
	p := screen.New(os.Stdout)
	res, err := call(ctx, d)
	if t.tests || err != nil || res.exit != 0 || lastTarget(os.Args[1:], t.name) {
		d.Close()
	}
	if runbook.IsReadOnly(err) && res.text != nil && res.plan != nil {
		if t.json {
			screen.New(os.Stdout).RefusedPlan(runbook.AsFailure(err), res.plan)
			return mg.Fatal(runbook.ExitRefused, screen.FailureText(runbook.AsFailure(err)))
		}
		p.Whole(res.text)
	}
	if err != nil {
		return t.fail(err)
	}
	switch {
	case !t.json:
		p.Whole(res.text)
	case res.report != nil:
		p.JSON(res.report)
	}
	if err := cmp.Or(res.undelivered, p.Err()); err != nil {
		return mg.Fatal(runbook.ExitNotDone, fmt.Sprintf("%s: the result could not be written: %v", t.name, err))
	}
	if res.exit != 0 {
		if res.why == "" {
			res.why = t.name + ": not wholly done, see above"
		}
		return mg.Fatal(res.exit, res.why)
	}
	return nil
}

// open is the engine for this target: the one that the run's targets share,
// unless this one reads other settings than they.
func (t target) open() (*runbook.Runbook, error) {
	o := openOptions()
	switch {
	case t.noSettings:
		if rb, err := open(); err == nil {
			return rb, nil
		}
		o.NoProject, o.Anyway = true, true
	case t.tests:
		o.Tests = true
	case t.anyway:
		if rb, err := open(); err == nil {
			return rb, nil
		}
		o.Anyway = true
	default:
		return open()
	}
	dir, err := workingFolder()
	if err != nil {
		return nil, err
	}
	return runbook.OpenWith(dir, o)
}

// fail prints a failure as JSON where asked for, and gives Mage the error to
// print and the exit code.
func (t target) fail(err error) error {
	f := runbook.AsFailure(err)
	if t.json {
		screen.New(os.Stdout).Failure(f)
	}
	return mg.Fatal(f.Exit, screen.FailureText(f))
}

// lastTarget tells whether no other target follows in this call of mage, by
// the last word of the command line. When it is wrong the pool is closed
// early and made again by its next user.
func lastTarget(args []string, name string) bool {
	for i := len(args) - 1; i >= 0; i-- {
		if !strings.HasPrefix(args[i], "-") {
			word := strings.ToLower(args[i])
			return word == name || strings.HasSuffix(word, ":"+name)
		}
	}
	return true
}

// say writes one line for people.
func say(line string) { fmt.Fprintln(os.Stderr, plain.Line(line)) }

func isSet(flag *bool) bool { return flag != nil && *flag }

func or[T any](flag *T, def T) T {
	if flag == nil {
		return def
	}
	return *flag
}

func exitOf(ok bool) int {
	if ok {
		return 0
	}
	return runbook.ExitNotDone
}
