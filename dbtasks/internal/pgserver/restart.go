package pgserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// Restart is a plan to restart one server, a value: PlanRestart makes it,
// `-dry` prints it, Check looks whether it can be done, Apply does it.
type Restart struct {
	Way      string    // the row of ways: "systemd", "pg_ctl", …
	Evidence string    // how it was told that this is the way
	Run      Command   // what restarts it
	Back     []Command // what brings the server up where it is down, in this order
	Typed    string    // what a person types instead
	Instead  string    // the way that was found beside DBTASKS_RESTART_COMMAND, as it is typed; "": none
	Log      string    // where the server's messages are: a file, or the command that shows them; "": not known
	Notes    []string  // what is different after it, in sentences
	Subject  Subject   // the server as it was looked at
	showLog  Command   // where Log is a command
	keeper   keeperOf  // what runs the server, and has to run it afterwards; the zero value: nothing
}

// Command is one program to run.
type Command struct {
	Argv    []string
	Dir     string   // "": ours
	Env     []string // nil: ours. It is the server's own, and may hold passwords: it is never shown
	As      string   // the account where it is another one than ours; for people
	account account
	line    string // for people, where it is not Argv
	// Users says that it is the user's own (DBTASKS_RESTART_COMMAND): it runs in
	// a shell, may ask on the terminal, and is ended when we are.
	Users bool
}

const (
	// restartDeadline bounds Apply: pg_ctl waits twice pgCtlTimeout, and systemd
	// stops a unit for 90 s before it uses force. The user's own command is not
	// bounded.
	restartDeadline = 100 * time.Second
	// askTimeout bounds a question to systemctl, sudo or a container engine.
	askTimeout = 5 * time.Second
)

// Line is the command as a person would type it in a shell, passwords hidden.
func (c Command) Line() string {
	if c.Users {
		return masked(c.Argv[len(c.Argv)-1])
	}
	line := c.line
	if line == "" {
		line = shellLine(c.Argv)
	}
	if c.As != "" {
		line = "as " + c.As + ": " + line
	}
	return line
}

// String and GoString are Line: the environment is not for people.
func (c Command) String() string { return c.Line() }

// GoString is Line.
func (c Command) GoString() string { return c.Line() }

// Describe is the command that Apply runs, passwords hidden.
func (r Restart) Describe() string {
	if len(r.Run.Argv) == 0 {
		return ""
	}
	return r.Run.Line()
}

// String is Describe: nothing else of it is for people.
func (r Restart) String() string { return r.Describe() }

// GoString is Describe.
func (r Restart) GoString() string { return r.Describe() }

// Interactive says that the command may ask on the terminal: nothing else is
// to be written there while it runs.
func (r Restart) Interactive() bool { return r.Run.Users }

// BackLine is what a person types to bring the server up where it is down.
func (r Restart) BackLine() string {
	var lines []string
	for _, c := range r.Back {
		c.As = ""
		lines = append(lines, c.Line())
	}
	if len(lines) == 0 {
		return r.Typed
	}
	line := strings.Join(lines, "; ")
	if as := r.Back[0].As; as != "" {
		line += " (as " + as + ")"
	}
	return line
}

// PlanRestart says how this server is restarted: with command (the value of
// DBTASKS_RESTART_COMMAND) where there is one, else through whatever runs it.
// Nothing is touched. ErrNoRestart where there is no way, as a *ManualRestart
// where it is known what a person can type.
func PlanRestart(s Subject, command string) (Restart, error) {
	r, err := planWay(s)
	if command == "" {
		return r, err
	}
	// The way that would have been taken is still what brings the server up
	// where the user's command leaves it down.
	users := Restart{Way: WayCommand, Evidence: "DBTASKS_RESTART_COMMAND", Run: usersCommand(command), Typed: masked(command), Subject: s, Log: r.Log, showLog: r.showLog, keeper: r.keeper}
	if err == nil {
		users.Back, users.Instead = r.Back, r.Typed
	} else if manual := IsManual(err); manual != nil {
		users.Instead = manual.Command
	}
	if err := users.Run.permitted(); err != nil {
		return Restart{}, err
	}
	return users, nil
}

func planWay(s Subject) (Restart, error) {
	if s.PID == 0 && s.Container == nil {
		return Restart{}, fmt.Errorf("%w: its process is not known", ErrNoRestart)
	}
	for _, w := range ways {
		f, ok, err := w.told(s)
		if err != nil {
			return Restart{}, err
		}
		if ok {
			return w.plan(s, f), nil
		}
	}
	return Restart{}, fmt.Errorf("%w: no pg_ctl was found for process %d", ErrNoRestart, s.PID)
}

// plan fills a row in with what its detector found.
func (w way) plan(s Subject, f found) Restart {
	shown := f
	if f.shown != "" {
		shown.name = f.shown
	}
	command := func(words []string) Command {
		c := Command{Argv: append(slices.Clone(f.client), f.named(words)...), Dir: f.dir, Env: f.env, As: f.as(), account: f.account}
		if f.shown != "" {
			c.line = shellLine(append(slices.Clone(f.client), shown.named(words)...))
		}
		return c
	}
	r := Restart{Way: w.name, Evidence: f.evidence, Run: command(w.restart), Typed: f.typed, Log: f.log, Notes: f.notes, Subject: s, keeper: f.keeper}
	for _, words := range w.back {
		r.Back = append(r.Back, command(words))
	}
	if r.Typed == "" {
		client := f.client
		if len(client) > 1 && client[0] == "sudo" && client[1] == "-n" {
			client = append([]string{"sudo"}, client[2:]...) // a person may be asked for the password
		}
		r.Typed = shellLine(append(slices.Clone(client), shown.named(w.restart)...))
		if f.dir != "" && w.folder {
			r.Typed = "cd " + shellWord(f.dir) + " && " + r.Typed
		}
	}
	if r.Log == "" && len(w.log) > 0 {
		r.showLog = Command{Argv: append(f.logClient(w), shown.named(w.log)...), Dir: f.dir, Env: f.env, account: f.account}
		r.Log = shellLine(r.showLog.Argv)
	}
	return r
}

// Same tells whether the server is still the one that was looked at. Its error
// is ErrServerChanged.
func (r Restart) Same() error {
	s := r.Subject
	if s.PID != 0 && hostops.Gone(s.Identity) {
		return fmt.Errorf("%w: process %d is gone", ErrServerChanged, s.PID)
	}
	if s.Files != nil {
		return stillThere(*s.Files)
	}
	return nil
}

// shellLine is a command as it can be pasted into a shell.
func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = shellWord(arg)
	}
	return masked(strings.Join(words, " "))
}

// shellWord is one word as a shell reads it, fit for a terminal.
func shellWord(word string) string { return plain.Word(word) }

// errManual makes the error for a way whose address, name or right is missing.
func errManual(why, command string) error {
	return &ManualRestart{Why: why, Command: command}
}

// IsManual is the ManualRestart in an error, nil where there is none.
func IsManual(err error) *ManualRestart {
	var manual *ManualRestart
	if errors.As(err, &manual) {
		return manual
	}
	return nil
}
