package runbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/crash"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// StartOptions are the flags of dev:start.
type StartOptions struct {
	Port    int    // 0: the first free one of DBTASKS_PORTS
	Command string // instead of DBTASKS_DEV_COMMAND; empty: that one, else the package manager's run dev
	Guard   int    // sessions of this database at which to warn once; 0: never
	Replace bool   // stop this project's own stale dev server first
	// Stdin, Stdout and Stderr are the dev server's own: the terminal, so
	// that its keys reach it.
	Stdin, Stdout, Stderr *os.File

	answers func(port int) // called once, when the dev server answers; nil: nobody asks
}

// StartReport is how the dev server ran.
type StartReport struct {
	OK       bool           `json:"ok"`
	Stopped  *StopReport    `json:"stopped,omitempty"`
	Cleanup  *CleanupReport `json:"cleanup,omitempty"`
	Port     int            `json:"port"`
	Command  string         `json:"command"`
	ExitCode int            `json:"exit_code"` // of the dev command; 128+n when signal n ended it
	Ended    string         `json:"ended"`     // why the run ended, where it was not the command's own end
	Left     []StopItem     `json:"left"`      // processes that could not be ended
}

// Start cleans up, checks, picks a port and runs the dev server until it ends;
// whatever ends it, the whole tree of the dev command is ended with it.
func (rb *Runbook) Start(ctx context.Context, o StartOptions) (StartReport, error) {
	r := StartReport{Left: []StopItem{}}
	if o.Guard < 0 || o.Port < 0 || o.Port > 65535 {
		return r, &Failure{Exit: ExitSettings, Code: "usage", Message: "-guard and -port want numbers that are not negative, a port at most 65535; nothing was touched.",
			Next: rb.Command("dev:start -port=3000 -guard=10")}
	}
	if err := rb.connectLimited(); err != nil {
		return r, err
	}
	// A missing script or package.json is found before anything is touched.
	command, err := devCommand(rb, o, 1)
	if err != nil {
		return r, err
	}
	if rb.cfg.ReadOnly {
		plan, err := planOfStart(ctx, rb, o, command.Line)
		if err != nil {
			return r, err
		}
		return r, refusedReadOnly(rb, "dev:start", plan...)
	}
	if err := clearStale(ctx, rb, o, &r); err != nil {
		return r, err
	}
	clean, err := rb.Cleanup(ctx, CleanupOptions{Spare: SpareProject, Caller: "dev:start"})
	if f := AsFailure(err); f != nil && f.Exit != ExitRefused {
		return r, err
	}
	r.Cleanup = &clean
	rb.progress("%s", cleanupLine(clean, err))
	if _, err := rb.Test(ctx, TestOptions{}); err != nil {
		return r, err
	}
	err = run(ctx, rb, o, &r) // before the return: Go does not say that r is read after the call
	return r, err
}

// cleanupLine is what the cleanup before a start did, in a line. A server that
// is not this machine's is left alone; that does not stop the start.
func cleanupLine(r CleanupReport, err error) string {
	if err != nil {
		return "no cleanup: " + err.Error()
	}
	line := fmt.Sprintf("cleanup: %d idle sessions ended, %d of %d usable slots free", r.Ended, r.Free, r.Usable)
	spared := 0
	for _, j := range r.Spared {
		if j.Verdict == pgops.VerdictSpared {
			spared++
		}
	}
	if spared > 0 {
		line += fmt.Sprintf("; %d sessions of this project's running processes spared", spared)
	}
	return line
}

// clearStale deals with a dev server of this project that is still there.
func clearStale(ctx context.Context, rb *Runbook, o StartOptions, r *StartReport) error {
	stale, err := planStop(ctx, rb, StopOptions{})
	if err != nil {
		return err
	}
	var listening []StopItem
	for _, p := range stale.Plan {
		if len(p.Ports) > 0 {
			listening = append(listening, p)
		}
	}
	if len(listening) == 0 && len(stale.Plan) > 0 {
		listening = stale.Plan[:1]
	}
	switch {
	case len(listening) == 0:
		return nil
	case !o.Replace:
		f := &Failure{Exit: ExitNotDone, Code: "stale_server", Next: rb.Command("dev:start -replace") + "   (or " + rb.Command("dev:stop") + ")"}
		f.Message = "A dev server of this project is already running: " + describe(listening[0]) + "."
		for _, p := range listening[1:] {
			f.Details = append(f.Details, "also: "+describe(p))
		}
		return f
	}
	stopped, err := rb.Stop(ctx, StopOptions{})
	r.Stopped = &stopped
	if err == nil {
		err = stopped.failure(rb)
	}
	if err == nil {
		rb.progress("stopped the stale dev server: %s", describe(listening[0]))
	}
	return err
}

// describe is a process of a plan for people.
func describe(p StopItem) string {
	s := fmt.Sprintf("%s (pid %d", p.Command, p.PID)
	for _, port := range p.Ports {
		s += fmt.Sprintf(", port %d", port)
	}
	return s + ")"
}

func devCommand(rb *Runbook, o StartOptions, port int) (devserver.Command, error) {
	configured := o.Command
	if problem, mended := settings.ShellProblem(configured); problem != "" {
		return devserver.Command{}, &Failure{Exit: ExitSettings, Code: "usage", Message: "-command is no command that a shell can read: " + problem + "; nothing was touched.",
			Next: rb.Command("dev:start -command=" + plain.Word(cmp.Or(mended, "npm run dev")))}
	}
	if configured == "" {
		if err := rb.cfg.CheckCommand(settings.DevCommand); err != nil {
			return devserver.Command{}, err
		}
		configured = rb.cfg.DevCommand
	}
	command, err := devserver.Dev(rb.cfg.Root, configured, port, os.Environ())
	var missing *devserver.SettingError
	if o.Command != "" && errors.As(err, &missing) && missing.Configured != "" {
		return command, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-command runs the script %q, which package.json does not have; nothing was touched.", missing.Script),
			Next: rb.Command("dev:start -command=" + plain.Word(missing.Mended)), Err: err}
	}
	return command, scriptMissing(rb, settings.DevCommand, err)
}

// scriptMissing says where a setting stands that runs a script which is not
// there.
func scriptMissing(rb *Runbook, setting string, err error) error {
	var missing *devserver.SettingError
	if errors.As(err, &missing) && missing.Configured != "" {
		return rb.cfg.Wrong(setting, fmt.Sprintf("runs the script %q, which package.json does not have", missing.Script), missing.Mended)
	}
	return err
}

// run is the dev server's life.
func run(ctx context.Context, rb *Runbook, o StartOptions, r *StartReport) error {
	ports := rb.cfg.Ports.All()
	if o.Port > 0 {
		ports = []int{o.Port}
	}
	port, err := devserver.FreePort(ports)
	if err != nil {
		return &Failure{Exit: ExitNotDone, Code: "no_port", Message: err.Error(), Next: rb.Command("dev:stop -dry") + " shows who holds the ports", Err: err}
	}
	command, err := devCommand(rb, o, port)
	if err != nil {
		return err
	}
	r.Port, r.Command = port, command.Line
	if command.PortNote == "" {
		rb.progress("starting on port %d: %s", port, command.Line)
	} else {
		rb.progress("starting with PORT=%d: %s", port, command.Line)
		rb.progress("  %s", command.PortNote)
	}
	var guard sync.WaitGroup
	var guarded crash.Carried
	guardCtx, stopGuard := context.WithCancel(context.WithoutCancel(ctx))
	result, err := devserver.Run(ctx, command, devserver.RunOptions{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, OnStart: func(pid int) {
		if o.answers != nil {
			guard.Go(func() { awaitAnswer(guardCtx, pid, port, o.answers) })
		}
		if o.Guard > 0 {
			guard.Go(func() { guarded.Do(func() { watchLimit(guardCtx, rb, o.Guard, rb.out) }) })
		}
	}})
	stopGuard()
	guard.Wait()
	guarded.Rethrow()
	r.ExitCode, r.Ended = result.ExitCode, result.Reason
	for _, p := range result.Left {
		r.Left = append(r.Left, item(p, nil, "could not be ended"))
	}
	if err != nil {
		return &Failure{Exit: ExitNotDone, Code: "run", Message: fmt.Sprintf("The dev server could not be run: %v", err), Next: rb.Command("dev:start"), Err: err}
	}
	// Ctrl+C is how a dev server is ended, and no error.
	r.OK = (result.ExitCode == 0 || result.Reason == devserver.Interrupted) && len(r.Left) == 0
	return nil
}

// awaitAnswer calls answers once when a page comes, whatever its status, from the
// port that the dev server was given or another that its tree listens on.
func awaitAnswer(ctx context.Context, pid, port int, answers func(port int)) {
	client := http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for pause(ctx, 200*time.Millisecond) == nil {
		m, err := machine.Look(ctx)
		if err != nil {
			continue
		}
		ports := m.Ports(pid)
		for _, p := range m.Table.Descendants(pid) {
			ports = append(ports, m.Ports(p.PID)...)
		}
		slices.SortFunc(ports, func(a, b int) int { // the one that it was given first
			if (a == port) != (b == port) && a == port {
				return -1
			} else if (a == port) != (b == port) {
				return 1
			}
			return a - b
		})
		for _, at := range ports {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://localhost:%d/", at), nil)
			if err != nil {
				continue
			}
			if response, err := client.Do(request); err == nil {
				_ = response.Body.Close()
				answers(at)
				return
			}
		}
	}
}

// guardEvery is how often the guard counts.
const guardEvery = 2 * time.Second

// watchLimit warns once, on out, when this database's sessions reach limit.
// It holds one session; what it can't see it keeps to itself.
func watchLimit(ctx context.Context, rb *Runbook, limit int, out io.Writer) {
	warned := false
	_, _ = rb.Monitor(ctx, MonitorOptions{Every: guardEvery}, func(s MonitorSample) {
		if warned || out == nil || (s.Sessions < limit && !s.Refused) {
			return
		}
		warned = true
		if s.Refused {
			fmt.Fprintf(out, "dbtasks: warning: PostgreSQL has no slot left. Next: %s\n", rb.Command("db:cleanup"))
			return
		}
		who := ""
		if len(s.Groups) > 0 {
			name := s.Groups[0].ApplicationName
			if name == "" {
				name = "without application_name"
			}
			who = fmt.Sprintf("; most are of %s: %d %s", name, s.Groups[0].Count, s.Groups[0].State)
		}
		fmt.Fprint(out, plain.Sprintf("dbtasks: warning: %d sessions (guard %d)%s. Next: %s\n", s.Sessions, limit, who, rb.Command("db:cleanup")))
	})
}
