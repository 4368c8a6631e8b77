// Package pgserver is the PostgreSQL server process: its programs, a
// disposable server, what is known about a running one from its postmaster,
// and restarting it. It speaks no SQL.
package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// DisposableOptions describe a disposable server.
type DisposableOptions struct {
	Binaries Binaries
	// Template saves the 0.6 s of initdb when several servers are made. Nil: initdb.
	Template *Template
	// MaxConnections 0 means 20. SuperuserReserved 0 means 3, PostgreSQL's own
	// default; below 0 means none.
	MaxConnections, SuperuserReserved int
	// Settings are further lines of postgresql.conf; they win.
	Settings map[string]string
	// HBA are lines of pg_hba.conf before the default ones.
	HBA []string
	// Log hears of what is out of the ordinary. Nil: nobody does.
	Log io.Writer
}

// Disposable is a server in a temporary folder. It listens on 127.0.0.1, on
// ::1 where there is one, and on a Unix socket in SocketDir; all of them want a
// password (scram), but the account that runs the server may log in as the
// superuser over the socket (peer). Its data is not safe against a crash.
//
// Stop ends it. If this process ends without, whatever ends it, a process of
// the server's own does.
type Disposable struct {
	Port      int
	SocketDir string // "" on Windows
	DataDir   string
	PID       int    // the postmaster that was started; another one after a restart
	Account   string // the operating system's account that it runs as

	Superuser, SuperuserPassword string

	dir    string
	keeper *keeperProcess
}

// StartDisposable starts a server and returns when it takes logins, 0.3 s with
// a template and 1 s without. Cancelling ctx gives up and leaves nothing behind;
// afterwards ctx has no hold on the server.
func StartDisposable(ctx context.Context, o DisposableOptions) (*Disposable, error) {
	spec := keeperSpec{Bin: o.Binaries.Dir, Settings: settingLines(o), HBA: o.HBA, Password: RandomPassword()}
	if o.Template != nil {
		spec.Template, spec.Password = filepath.Join(o.Template.dir, "data"), o.Template.password
	}
	k, place, err := startKeeper(ctx, spec, o.Log)
	if err != nil {
		return nil, fmt.Errorf("start a disposable PostgreSQL: %w", err)
	}
	return &Disposable{
		Port: place.Port, SocketDir: socketDirectories(place.Dir), DataDir: filepath.Join(place.Dir, "data"), PID: place.PID, Account: place.Account,
		Superuser: superuser, SuperuserPassword: spec.Password, dir: place.Dir, keeper: k,
	}, nil
}

func settingLines(o DisposableOptions) []string {
	slots, reserved := o.MaxConnections, o.SuperuserReserved
	if slots == 0 {
		slots = 20
	}
	if reserved == 0 {
		reserved = 3
	}
	lines := []string{"max_connections = " + strconv.Itoa(slots), "superuser_reserved_connections = " + strconv.Itoa(max(reserved, 0))}
	for name, value := range o.Settings {
		lines = append(lines, name+" = "+quoteSetting(value))
	}
	slices.Sort(lines[2:])
	return lines
}

// URL is the way in over IPv4; params are "name=value", joined as they are.
func (d *Disposable) URL(role, password, database string, params ...string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port)),
		Path: "/" + database, RawQuery: strings.Join(params, "&"),
	}
	return u.String()
}

// Postmaster is the postmaster that runs at this moment.
func (d *Disposable) Postmaster() (Postmaster, error) {
	file, err := readPIDFile(d.DataDir)
	if err != nil {
		return Postmaster{}, err
	}
	return Inspect(file.pid, program(d.keeper.bin, "postgres"), nil, d.DataDir)
}

// LogTail is the end of the server's log.
func (d *Disposable) LogTail(lines int) string { return readTail(filepath.Join(d.dir, logName), lines) }

// Stop ends the server, fast (an immediate shutdown after 5 s), and removes its
// folder. When ctx ends first, it goes on without us. It may be called again.
func (d *Disposable) Stop(ctx context.Context) error {
	err := d.keeper.stop(ctx)
	var ended *exec.ExitError
	if errors.As(err, &ended) && !ended.Exited() { // somebody killed it: its work is ours
		instead := keeper{spec: keeperSpec{Bin: d.keeper.bin}, dir: d.dir}
		if instead.stop() {
			instead.remove()
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("stop the disposable PostgreSQL in %s: %w", d.dir, err)
	}
	return nil
}

// String does not show the password.
func (d *Disposable) String() string {
	return fmt.Sprintf("disposable PostgreSQL, port %d, pid %d, %s", d.Port, d.PID, d.DataDir)
}

// GoString does not show the password either.
func (d *Disposable) GoString() string { return d.String() }

// RandomPassword is a password of 26 letters and digits: it needs no quoting
// anywhere.
func RandomPassword() string { return rand.Text() }
