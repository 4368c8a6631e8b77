package runbook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/config"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/reexec"
)

// DrillOptions are the flags of dev:drill.
type DrillOptions struct {
	Slots int // max_connections of the disposable server; 8 to 500
}

// DrillEvent is one line of the rehearsal.
type DrillEvent struct {
	At   time.Duration // since the drill began
	Text string
}

// DrillReport is the whole rehearsal.
type DrillReport struct {
	OK       bool
	Binaries string // where PostgreSQL came from, and its version
	Leaked   int    // sessions that the leaking process opened
	Words    string // the server's own words when it refused, with the SQLSTATE
	Cleanup  CleanupReport
	Test     TestReport
	Took     time.Duration
}

const (
	drillRole     = "shop_app"
	drillDatabase = "shop"
	drillReload   = 3 // sessions that each reload leaves behind
)

// Drill rehearses the emergency on a PostgreSQL of its own: a process leaks
// sessions as hot reload does until the server refuses, then the real cleanup
// and the real test run against it. It leaves nothing behind, whatever ends it.
func Drill(ctx context.Context, deps *Deps, o DrillOptions, emit func(DrillEvent)) (DrillReport, error) {
	var r DrillReport
	if o.Slots < 8 || o.Slots > 500 {
		return r, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-slots wants a number from 8 to 500, not %d; nothing was touched.", o.Slots), Next: deps.Command("dev:drill -slots=20")}
	}
	began := time.Now()
	say := func(format string, args ...any) { emit(DrillEvent{time.Since(began), fmt.Sprintf(format, args...)}) }
	server, err := startDrillServer(ctx, deps, o, say, &r)
	if err != nil {
		return r, err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
		defer cancel()
		_ = server.Stop(stopCtx) // the server's watchdog goes on with what is left
	}()
	drill, err := prepareDrill(ctx, deps, server)
	if err != nil {
		return r, err
	}
	defer drill.Pool.Close()
	stopLeak, err := leakUntilFull(ctx, drill, say, &r)
	if err != nil {
		return r, err
	}
	defer stopLeak()
	say("the server says: %s", r.Words)
	say("db:cleanup …")
	if r.Cleanup, err = Cleanup(ctx, drill, CleanupOptions{}); err != nil {
		return r, err
	}
	say("%d idle sessions ended %s, %d of %d usable slots free, in %d ms", r.Cleanup.Ended, r.Cleanup.Route.Words(), r.Cleanup.Free, r.Cleanup.Usable, r.Cleanup.ElapsedMS)
	say("db:test …")
	if r.Test, err = Test(ctx, drill, TestOptions{}); err != nil {
		return r, err
	}
	say("logged in as %q in %.1f ms; PostgreSQL %s", r.Test.Target.Role, r.Test.LoginMS, r.Test.Version)
	r.Took = time.Since(began)
	r.OK = r.Cleanup.OK && r.Cleanup.Ended == r.Leaked
	return r, nil
}

func startDrillServer(ctx context.Context, deps *Deps, o DrillOptions, say func(string, ...any), r *DrillReport) (*pgserver.Disposable, error) {
	bin, err := pgserver.FindBinaries(ctx, pgserver.FindOptions{Dir: os.Getenv("DBTASKS_PG_BIN"), Install: true, Log: deps.Progress})
	if err != nil {
		return nil, &Failure{Exit: ExitNotDone, Code: "no_postgresql", Message: err.Error(), Next: deps.Command("dev:drill"), Err: err}
	}
	r.Binaries = fmt.Sprintf("PostgreSQL %s (%s)", bin.Version, bin.From)
	say("starting a disposable %s with %d slots …", r.Binaries, o.Slots)
	server, err := pgserver.StartDisposable(ctx, pgserver.DisposableOptions{Binaries: bin, MaxConnections: o.Slots, Log: deps.Progress})
	if err != nil {
		return nil, &Failure{Exit: ExitNotDone, Code: "no_server", Message: "The disposable server did not start: " + err.Error(), Next: deps.Command("dev:drill"), Err: err}
	}
	say("it listens on port %d, process %d", server.Port, server.PID)
	return server, nil
}

// prepareDrill makes the role and the database, and settings that point there.
func prepareDrill(ctx context.Context, deps *Deps, server *pgserver.Disposable) (*Deps, error) {
	conn, err := pgx.Connect(ctx, server.URL(server.Superuser, server.SuperuserPassword, "postgres"))
	if err != nil {
		return nil, fmt.Errorf("log in to the disposable server: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	password := pgserver.RandomPassword()
	for _, sql := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", drillRole, password),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", drillDatabase, drillRole),
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("prepare the disposable server: %w", err)
		}
	}
	cfg, err := config.Load(server.DataDir, []string{
		"DATABASE_URL=" + server.URL(drillRole, password, drillDatabase, "connection_limit="+strconv.Itoa(drillReload)),
		"DBTASKS_ADMIN_URL=" + server.URL(server.Superuser, server.SuperuserPassword, "postgres"),
	})
	if err != nil {
		return nil, err
	}
	drill := &Deps{Config: cfg, Program: deps.Program}
	return drill, drill.Connect()
}

const leakRole = "drill-leak"

func init() { reexec.Register(leakRole, leakMain) }

// leakUntilFull starts the leaking process and follows it until the server
// refuses it.
func leakUntilFull(ctx context.Context, drill *Deps, say func(string, ...any), r *DrillReport) (stop func(), err error) {
	url, err := drill.Config.Database()
	if err != nil {
		return nil, err
	}
	cmd := reexec.Command(ctx, leakRole)
	cmd.Env = append(cmd.Environ(), "DATABASE_URL="+url.Raw())
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the leaking process: %w", err)
	}
	stop = func() { _ = in.Close(); _ = cmd.Wait() } // its end of input is its order to go
	say("a process leaks %d sessions a reload, as a dev server does …", drillReload)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "open":
			r.Leaked, _ = strconv.Atoi(rest)
		case "refused":
			r.Words = rest
			say("%d sessions leaked, then the server refused", r.Leaked)
			return stop, nil
		}
	}
	stop()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, errors.New("the leaking process ended before the server was full")
}

// leakMain is the leaking process: each reload opens sessions that nobody
// closes. It holds them until its standard input ends.
func leakMain([]string) int {
	url := os.Getenv("DATABASE_URL")
	_ = os.Unsetenv("DATABASE_URL")
	cfg, err := config.Load(os.TempDir(), []string{"DATABASE_URL=" + url})
	if err != nil {
		return 1
	}
	target, err := cfg.Database()
	if err != nil {
		return 1
	}
	conn, err := target.ConnConfig()
	if err != nil {
		return 1
	}
	conn.RuntimeParams["application_name"] = "leaking dev server"
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n := 1; n < 1000; n++ {
		if _, err := pgx.ConnectConfig(ctx, conn); err != nil {
			words, sqlstate := pgops.ServerWords(err)
			fmt.Printf("refused %s (SQLSTATE %s)\n", words, sqlstate)
			break
		}
		fmt.Printf("open %d\n", n)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}
