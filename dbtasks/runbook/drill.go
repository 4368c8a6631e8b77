package runbook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
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
	Leaked   int    // sessions of the application that the leaking process opened
	Reserved int    // reserved slots that a superuser's tool took besides
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
// emit is called with each event; it may be nil.
func (rb *Runbook) Drill(ctx context.Context, o DrillOptions, emit func(DrillEvent)) (DrillReport, error) {
	var r DrillReport
	if o.Slots < 8 || o.Slots > 500 {
		return r, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-slots wants a number from 8 to 500, not %d; nothing was touched.", o.Slots), Next: rb.Command("dev:drill -slots=20")}
	}
	began := time.Now()
	say := func(format string, args ...any) {
		told(emit)(DrillEvent{time.Since(began), fmt.Sprintf(format, args...)})
	}
	server, err := startDrillServer(ctx, rb, o, say, &r)
	if err != nil {
		return r, err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
		defer cancel()
		_ = server.Stop(stopCtx) // the server's watchdog goes on with what is left
	}()
	drill, err := prepareDrill(ctx, rb, server)
	if err != nil {
		return r, err
	}
	defer drill.pool.Close()
	stopLeak, err := leakUntilFull(ctx, drill, server, say, &r)
	if err != nil {
		return r, err
	}
	defer stopLeak()
	say("db:cleanup, with no password but the application's …")
	if r.Cleanup, err = drill.Cleanup(ctx, CleanupOptions{}); err != nil {
		return r, err
	}
	say("in %s; %d idle sessions ended in %d ms, %d of %d usable slots free", r.Cleanup.Route.Words(), r.Cleanup.Ended+r.Cleanup.Freed, r.Cleanup.ElapsedMS, r.Cleanup.Free, r.Cleanup.Usable)
	say("db:test …")
	if r.Test, err = drill.Test(ctx, TestOptions{}); err != nil {
		return r, err
	}
	say("logged in as %q in %.1f ms; PostgreSQL %s", r.Test.Target.Role, r.Test.LoginMS, r.Test.Version)
	r.Took = time.Since(began)
	r.OK = r.Cleanup.OK && r.Cleanup.Ended+r.Cleanup.Freed == r.Leaked
	return r, nil
}

func startDrillServer(ctx context.Context, rb *Runbook, o DrillOptions, say func(string, ...any), r *DrillReport) (*pgserver.Disposable, error) {
	dir, err := rb.cfg.Binaries()
	if err != nil {
		return nil, err
	}
	done := rb.waiting("looking for PostgreSQL's programs")
	bin, err := pgserver.FindBinaries(ctx, pgserver.FindOptions{Dir: dir, Install: true, Log: rb.out})
	done()
	if err != nil {
		return nil, &Failure{Exit: ExitNotDone, Code: "no_postgresql", Message: err.Error(), Next: rb.Command("dev:drill"), Err: err}
	}
	r.Binaries = fmt.Sprintf("PostgreSQL %s (%s)", bin.Version, bin.From)
	say("starting a disposable %s with %d slots …", r.Binaries, o.Slots)
	done = rb.waiting("starting a PostgreSQL of its own")
	server, err := pgserver.StartDisposable(ctx, pgserver.DisposableOptions{Binaries: bin, MaxConnections: o.Slots, Log: rb.out})
	done()
	if err != nil {
		return nil, &Failure{Exit: ExitNotDone, Code: "no_server", Message: "The disposable server did not start: " + err.Error(), Next: rb.Command("dev:drill"), Err: err}
	}
	say("it listens on port %d, process %d", server.Port, server.PID)
	return server, nil
}

// prepareDrill makes the role and the database, and settings that point there.
func prepareDrill(ctx context.Context, rb *Runbook, server *pgserver.Disposable) (*Runbook, error) {
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
	environ := []string{"DATABASE_URL=" + server.URL(drillRole, password, drillDatabase, "connection_limit="+strconv.Itoa(drillReload))}
	if runtime.GOOS == "windows" {
		// There no signal can free a slot: the reserved ones are left free.
		environ = append(environ, "DBTASKS_ADMIN_URL="+server.URL(server.Superuser, server.SuperuserPassword, "postgres"))
	}
	cfg, err := settings.FromEnvironment(environ)
	if err != nil {
		return nil, err
	}
	drill := &Runbook{cfg: cfg, name: rb.name, alias: rb.alias}
	return drill, drill.connectLimited()
}

const leakRole = "drill-leak"

// leakUntilFull starts the leaking process and follows it until the server
// refuses it.
func leakUntilFull(ctx context.Context, drill *Runbook, server *pgserver.Disposable, say func(string, ...any), r *DrillReport) (stop func(), err error) {
	url, err := drill.cfg.Database()
	if err != nil {
		return nil, err
	}
	cmd := reexec.Command(ctx, leakRole)
	cmd.Dir = string(filepath.Separator) // no project's: a cleanup spares what another project holds
	cmd.Env = append(cmd.Environ(), "DATABASE_URL="+url.Raw())
	if runtime.GOOS != "windows" {
		cmd.Env = append(cmd.Env, "DBTASKS_ADMIN_URL="+server.URL(server.Superuser, server.SuperuserPassword, "postgres"))
	}
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
			say("%d sessions leaked; the server says: %s", r.Leaked, rest)
		case "reserved":
			r.Reserved, _ = strconv.Atoi(rest)
		case "superuser":
			r.Words = rest
			say("a superuser's tool takes the last %d, the reserved ones; now to everybody: %s", r.Reserved, rest)
		case "full":
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
// closes, until the application is refused, then a superuser's sessions fill
// the reserved slots. It holds all until its standard input ends.
func leakMain([]string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	environ := []string{"DATABASE_URL=" + os.Getenv("DATABASE_URL"), "DBTASKS_ADMIN_URL=" + os.Getenv("DBTASKS_ADMIN_URL")}
	os.Clearenv() // nothing below needs it, and it has passwords
	cfg, err := settings.FromEnvironment(environ)
	if err != nil {
		return 1
	}
	app, err := cfg.Database()
	if err != nil {
		return 1
	}
	held := fillSlots(ctx, app, "leaking dev server", "open", "refused")
	if admin, err := cfg.Admin(); err == nil && admin != nil {
		held = append(held, fillSlots(ctx, admin, "superuser's tool", "reserved", "superuser")...)
	}
	fmt.Println("full")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(held) // a session that nobody holds is closed by the garbage collector
	return 0
}

// fillSlots opens sessions until the server refuses one, and says so: a line
// with the count for each, and the refusal.
func fillSlots(ctx context.Context, url *settings.URL, application, opened, refused string) (held []*pgx.Conn) {
	cfg, err := url.ConnConfig()
	if err != nil {
		return nil
	}
	cfg.RuntimeParams["application_name"] = application
	for n := 1; n < 1000; n++ {
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			words, sqlstate := pgops.ServerWords(err)
			fmt.Printf("%s %s (SQLSTATE %s)\n", refused, words, sqlstate)
			return held
		}
		held = append(held, conn)
		fmt.Printf("%s %d\n", opened, n)
	}
	return held
}
