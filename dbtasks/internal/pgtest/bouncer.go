package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

const (
	bouncerRole = "pg-bouncer"

	// BouncerAdmin may use the console, BouncerStats may only look. Both are
	// logins of the pooler alone.
	BouncerAdmin, BouncerStats = "bouncer_admin", "bouncer_stats"
	bouncerPassword            = "c0nsole/of:the@pooler"
)

func init() { reexec.Register(bouncerRole, bouncerMain) }

// Bouncer is a real PgBouncer in front of a test's server.
type Bouncer struct {
	Port, PID int
	t         testing.TB
	log       string
}

// BouncerOptions describe a PgBouncer. The zero value pools transactions, 5 a
// pool, for 100 clients.
type BouncerOptions struct {
	Settings map[string]string // of section [pgbouncer]; they win
	// Config is a whole pgbouncer.ini instead, as a user would write it; of it
	// only what names a place is replaced.
	Config string
	// Server is where all the databases are, instead of their own server: on
	// another machine.
	Server netip.AddrPort
}

// StartBouncer starts a PgBouncer for the databases, which lives as long as
// the test. Where none is installed the test is skipped; but not in CI on
// Linux, where skipped tests would pass.
func StartBouncer(t testing.TB, o BouncerOptions, databases ...Database) *Bouncer {
	t.Helper()
	program := bouncerProgram()
	switch {
	case program != "":
	case os.Getenv("CI") == "true" && runtime.GOOS == "linux":
		t.Fatal("pgbouncer is not installed, and in CI it has to be")
	default:
		t.Skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
	}
	account := databases[0].server.Account
	dir, err := os.MkdirTemp("/tmp", "dbtasks-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	b := &Bouncer{Port: FreePort(t), t: t, log: filepath.Join(dir, "log")}
	b.write(dir, "userlist.txt", b.users(databases))
	b.write(dir, "pgbouncer.ini", b.settings(dir, o, databases))
	if os.Geteuid() == 0 { // PgBouncer refuses root
		if out, err := exec.Command("chown", "-R", account, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b.start(program, account, dir)
	return b
}

// bouncerProgram is the path of PgBouncer; empty: not installed.
func bouncerProgram() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (b *Bouncer) write(dir, name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *Bouncer) users(databases []Database) string {
	quote := strings.NewReplacer(`"`, `""`)
	var text strings.Builder
	line := func(user, password string) {
		fmt.Fprintf(&text, "\"%s\" \"%s\"\n", quote.Replace(user), quote.Replace(password))
	}
	line(BouncerAdmin, bouncerPassword)
	line(BouncerStats, bouncerPassword)
	for _, db := range databases {
		line(db.Role, db.Password)
	}
	return text.String()
}

// settings is the configuration; of one that was given, [databases] and what
// names a place are replaced.
func (b *Bouncer) settings(dir string, o BouncerOptions, databases []Database) string {
	place := map[string]string{
		"listen_addr": "127.0.0.1", "listen_port": strconv.Itoa(b.Port), "unix_socket_dir": dir, "logfile": b.log, "pidfile": filepath.Join(dir, "pid"),
		"auth_file": filepath.Join(dir, "userlist.txt"), "admin_users": BouncerAdmin, "stats_users": BouncerStats,
	}
	values := map[string]string{"auth_type": "scram-sha-256", "pool_mode": "transaction", "default_pool_size": "5", "max_client_conn": "100"}
	if o.Config != "" {
		values = map[string]string{}
		_, section, _ := strings.Cut(o.Config, "[pgbouncer]")
		for line := range strings.Lines(section) {
			if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(strings.TrimSpace(line), ";") {
				values[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
	}
	maps.Copy(values, place)
	maps.Copy(values, o.Settings)
	var text strings.Builder
	fmt.Fprintln(&text, "[databases]")
	for _, db := range databases {
		host, port := "127.0.0.1", db.server.Port
		if o.Server.IsValid() {
			host, port = o.Server.Addr().String(), int(o.Server.Port())
		}
		fmt.Fprintf(&text, "%s = host=%s port=%d\n", db.Name, host, port)
	}
	fmt.Fprintln(&text, "[pgbouncer]")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&text, "%s = %s\n", name, values[name])
	}
	return text.String()
}

// start starts it under a guard, which ends it when the test has ended or this
// process is gone, and waits until it takes logins.
func (b *Bouncer) start(program, account, dir string) {
	b.t.Helper()
	args := []string{program}
	if os.Geteuid() == 0 {
		args = append(args, "-u", account)
	}
	guard := reexec.Command(context.Background(), bouncerRole, append(args, filepath.Join(dir, "pgbouncer.ini"))...)
	guard.Dir, guard.Stderr = "/", os.Stderr
	in, err := guard.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := guard.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("PgBouncer's log: %s", b.Log())
		}
		_ = in.Close()
		if err := guard.Wait(); err != nil {
			b.t.Errorf("PgBouncer's guard: %v", err)
		}
	})
	said, err := bufio.NewReader(out).ReadString('\n')
	if b.PID, _ = strconv.Atoi(strings.TrimSpace(said)); b.PID == 0 {
		b.t.Fatalf("PgBouncer's guard said %q (%v)", said, err)
	}
	Eventually(b.t, 10*time.Second, "PgBouncer listens", func() bool {
		log := b.Log() // a dial would not tell it from another test's on that port
		return strings.Contains(log, fmt.Sprintf("listening on 127.0.0.1:%d\n", b.Port)) && strings.Contains(log, "process up")
	})
}

// bouncerMain is the guard: it says the pid; when its own input ends it ends
// PgBouncer and removes the folder. The shell raises the number of files, which
// has to be above the number of clients, and then is PgBouncer.
func bouncerMain(args []string) int {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // what ends it is the end of its input
	defer os.RemoveAll(filepath.Dir(args[len(args)-1]))
	cmd := exec.Command("/bin/sh", append([]string{"-c", `ulimit -n "$(ulimit -H -n)"; exec "$@"`, "sh"}, args...)...)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	fmt.Println(cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = cmd.Process.Signal(syscall.SIGTERM) // at once up to 1.22, later it waits for clients
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
	return 0
}

// URL is a database's owner's way in through the pooler; params are added as
// they are.
func (b *Bouncer) URL(db Database, params ...string) string {
	return b.url(db.Role, db.Password, db.Name, params...)
}

// ConsoleURL is a way into the pooler's own console.
func (b *Bouncer) ConsoleURL(user string) string { return b.url(user, bouncerPassword, "pgbouncer") }

func (b *Bouncer) url(user, password, database string, params ...string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(b.Port)),
		Path: "/" + database, RawQuery: strings.Join(params, "&")}
	return u.String()
}

// Connect opens n sessions of the pooler, held by this process until the test
// ends.
func (b *Bouncer) Connect(db Database, n int, params ...string) []*pgx.Conn {
	b.t.Helper()
	var list []*pgx.Conn
	for range n {
		list = append(list, Connect(b.t, b.URL(db, append(params, "sslmode=disable", "default_query_exec_mode=simple_protocol")...)))
	}
	return list
}

// Exec runs commands on the console.
func (b *Bouncer) Exec(commands ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.ConsoleURL(BouncerAdmin)+"?default_query_exec_mode=simple_protocol")
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, command := range commands {
		if _, err := conn.Exec(ctx, command); err != nil {
			b.t.Fatalf("%s: %v", command, err)
		}
	}
}

// SocketDir is the folder of its Unix socket.
func (b *Bouncer) SocketDir() string { return filepath.Dir(b.log) }

// Log is what it has logged.
func (b *Bouncer) Log() string {
	text, err := os.ReadFile(b.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}
