package pgserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// restarterRole plans a restart, or plans and applies it, as another user or on
// another machine: `plan|apply|resume PID [DBTASKS_RESTART_COMMAND]`. It prints
// a told.
const restarterRole = "pgserver-test-restarter"

// told is what the role prints.
type told struct {
	Way, Describe, Typed, Back, Evidence, Log, From string
	Notes                                           []string
	Manual                                          *pgserver.ManualRestart
	Planned, Checked, Applied                       string // errors
	State                                           pgserver.ServerState
	Fatal                                           string
	Said                                            string // the progress
	Memory                                          int64
}

func (t told) String() string { text, _ := json.Marshal(t); return string(text) }

func init() { reexec.Register(restarterRole, restarter) }

func restarter(args []string) int {
	out := tellRestart(context.Background(), args)
	if json.NewEncoder(os.Stdout).Encode(out) != nil {
		return 1
	}
	return 0
}

func tellRestart(ctx context.Context, args []string) (out told) {
	pid, err := strconv.Atoi(args[1])
	if err != nil {
		out.Planned = err.Error()
		return out
	}
	command := ""
	if len(args) > 2 {
		command = args[2]
	}
	subject, _ := pgserver.SubjectOf(pid) // what can't be read is not known
	out.Memory = subject.MemoryLimit()
	plan, err := pgserver.PlanRestart(subject, command)
	if out.Manual = pgserver.IsManual(err); err != nil {
		out.Planned = err.Error()
		return out
	}
	out.Way, out.Describe, out.Typed, out.Back, out.Evidence, out.Log, out.Notes, out.From = plan.Way, plan.Describe(), plan.Typed, plan.BackLine(), plan.Evidence, plan.Log, plan.Notes, plan.StartedFrom()
	if err := plan.Check(); err != nil {
		out.Checked = err.Error()
		return out
	}
	if args[0] == "plan" {
		return out
	}
	said := &lockedBuffer{}
	apply(ctx, &out, plan, said)
	if args[0] == "again" && out.State == pgserver.StateDown { // as after an undo: the tester mends it on this word
		fmt.Println("down")
		_, _ = io.ReadAll(os.Stdin)
		out.Applied = ""
		if err := plan.Resume(ctx, said); err != nil {
			out.Applied = err.Error()
		}
	}
	out.Said = said.String()
	return out
}

func apply(ctx context.Context, out *told, plan pgserver.Restart, said io.Writer) {
	err := plan.Apply(ctx, said)
	if err == nil {
		return
	}
	out.Applied = err.Error()
	var failed *pgserver.RestartError
	if errors.As(err, &failed) {
		out.State, out.Fatal = failed.State, failed.Fatal
	}
}

// lockedBuffer may be read while a command writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
