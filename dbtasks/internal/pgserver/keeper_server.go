package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// superuser is the role that initdb makes.
const superuser = "postgres"

// startTimeout is for a machine under load; a start takes 0.1 s.
const startTimeout = 30 * time.Second

var errPortTaken = errors.New("the port was taken in the meantime")

// choosePort is a variable for the test of a port that is taken meanwhile.
var choosePort = freePort

// writeSettings writes the configuration anew: all of it is in these lines.
// They are in files and not on the command line, so that ALTER SYSTEM works.
func (k *keeper) writeSettings() error {
	conf := append([]string{
		"unix_socket_directories = " + quoteSetting(socketDirectories(k.dir)),
		"fsync = off", "synchronous_commit = off", "full_page_writes = off",
		"shared_buffers = 16MB", "max_wal_size = 64MB", "min_wal_size = 32MB",
		"lc_messages = 'C'", "password_encryption = 'scram-sha-256'", "timezone = 'UTC'", "log_timezone = 'UTC'",
		"include = 'port.conf'",
	}, k.spec.Settings...)
	if err := k.write("postgresql.conf", conf); err != nil {
		return err
	}
	hba := append([]string{}, k.spec.HBA...)
	if runtime.GOOS != "windows" {
		// As packages have it: the server's own account is let in without a password.
		hba = append(hba, "local all "+superuser+" peer map=owner", "local all all scram-sha-256", "local replication all scram-sha-256")
		if err := k.write("pg_ident.conf", []string{`owner "` + k.as.name + `" ` + superuser}); err != nil {
			return err
		}
	}
	return k.write("pg_hba.conf", append(hba,
		"host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256",
		"host replication all 127.0.0.1/32 scram-sha-256", "host replication all ::1/128 scram-sha-256"))
}

func (k *keeper) write(name string, lines []string) error {
	path := filepath.Join(k.dataDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return k.as.own(path)
}

func socketDirectories(dir string) string {
	if runtime.GOOS == "windows" {
		return ""
	}
	return dir
}

// quoteSetting is a value as postgresql.conf wants it.
func quoteSetting(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}

// startServer starts the postmaster as our child and waits until it takes
// logins. errPortTaken, with the port, when another process was faster.
func (k *keeper) startServer(ctx context.Context) (port, pid int, err error) {
	port, hosts, err := choosePort()
	if err != nil {
		return 0, 0, err
	}
	if err := k.write("port.conf", []string{"port = " + strconv.Itoa(port), "listen_addresses = '" + strings.Join(hosts, ",") + "'"}); err != nil {
		return port, 0, err
	}
	log, err := os.OpenFile(filepath.Join(k.dir, logName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return port, 0, err
	}
	defer log.Close()
	if err := k.as.own(log.Name()); err != nil {
		return port, 0, err
	}
	cmd := exec.Command(program(k.spec.Bin, "postgres"), "-D", k.dataDir())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = k.as.attr()
	endWithParent(cmd.SysProcAttr)
	cmd.Dir = k.dir
	cmd.Env = serverEnviron()
	if err := cmd.Start(); err != nil {
		return port, 0, fmt.Errorf("start postgres: %w", err)
	}
	k.server, k.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(k.exited)
	return port, cmd.Process.Pid, k.awaitReady(ctx, cmd.Process.Pid)
}

// awaitReady reads the status that the postmaster writes into its pid file, as
// pg_ctl does: it needs no login, which pg_hba lines might refuse.
func (k *keeper) awaitReady(ctx context.Context, pid int) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	late := time.After(startTimeout)
	for {
		ended := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.exited:
			ended = true
		case <-late:
			return fmt.Errorf("postgres did not get ready within %s: %s", startTimeout, k.logTail())
		case <-poll.C:
		}
		file, err := readPIDFile(k.dataDir())
		ready := err == nil && file.pid == pid && file.status == "ready"
		if (ended || ready) && strings.Contains(k.logTail(), "could not bind") {
			return errPortTaken
		}
		if ended {
			return fmt.Errorf("postgres ended at its start: %s", k.logTail())
		}
		if ready {
			return nil
		}
	}
}

const logName = "postgres.log"

func (k *keeper) logTail() string { return readTail(filepath.Join(k.dir, logName), 10) }

func readTail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), lines)
}

// freePort is a port that is free on IPv4's loopback and, where there is one,
// on IPv6's.
func freePort() (port int, hosts []string, err error) {
	for range 20 {
		v4, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, nil, fmt.Errorf("find a free port: %w", err)
		}
		port = v4.Addr().(*net.TCPAddr).Port
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		if err == nil {
			_ = v6.Close()
			_ = v4.Close()
			return port, []string{"127.0.0.1", "::1"}, nil
		}
		_ = v4.Close()
		if any, err := net.Listen("tcp6", "[::1]:0"); err == nil {
			_ = any.Close()
			continue // there is an IPv6, only this port is taken there
		}
		return port, []string{"127.0.0.1"}, nil
	}
	return 0, nil, errors.New("find a free port: every one tried was taken on IPv6")
}
