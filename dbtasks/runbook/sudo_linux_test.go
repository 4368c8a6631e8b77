package runbook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
)

// TestSudoAsksForThePasswordOnTheTerminalAndNothingIsWrittenOverIt types the
// password of a user whose sudo wants one, wrong at first: sudo takes its time
// then, in which a line that says what is waited for would be drawn over the
// prompt.
func TestSudoAsksForThePasswordOnTheTerminalAndNothingIsWrittenOverIt(t *testing.T) {
	m := systemdtest.Start(t)
	unit := "postgresql@" + m.Version(t) + "-main.service"
	m.Run(t, "systemctl", "start", unit)
	m.Run(t, "runuser", "-u", "postgres", "--", "sh", "-c", `cd /; psql -qc "create role typist login password 'hidden'" -c "create database typed owner typist"`)
	main := func() string { return m.Run(t, "systemctl", "show", "-p", "MainPID", "--value", unit) }
	before := main()

	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	screen := vt10x.New(vt10x.WithSize(120, 40), vt10x.WithWriter(keys))
	var shown syncBuilder
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			_, _ = shown.Write(buf[:n])
			_, _ = screen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	command := "cd /; export HOME=/home/password DATABASE_URL='postgresql://typist:hidden@localhost/typed?connection_limit=5' DBTASKS_PORTS=4999 DBTASKS_RESTART_COMMAND='sudo systemctl restart " + unit +
		"' DBTASKS_ROLE=" + machineRole + "; exec " + systemdtest.Program + " recover always"
	cmd := m.Command("runuser", "-u", "password", "--", "sh", "-c", command)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, &out, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the terminal showed %q; its report: %s", shown.String(), out.String())
		}
	}()

	const prompt = "[sudo] password for password: "
	prompted := func(times int) {
		t.Helper()
		pgtest.Eventually(t, 30*time.Second, "sudo asks for the password, and the prompt stands at the end of the screen", func() bool {
			return strings.Count(shown.String(), prompt) == times && strings.HasSuffix(strings.TrimRight(screen.String(), "\n "), strings.TrimSpace(prompt))
		})
	}
	for times, password := range []string{"wrong", "secret"} {
		prompted(times + 1)
		if _, err := io.WriteString(keys, password+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err = <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("it runs still: %s", screen)
	}
	var told procedureTold
	if err != nil || json.Unmarshal(out.Bytes(), &told) != nil || told.Code != "" {
		t.Errorf("%v, %s\non the screen: %s", err, out.String(), screen)
	}
	if main() == before || m.Run(t, "systemctl", "is-active", unit) != "active" {
		t.Errorf("the unit's main process is %s, as before: %s", before, screen)
	}
	first, second := strings.Index(shown.String(), prompt), strings.LastIndex(shown.String(), prompt)
	if between := shown.String()[first:second]; strings.Contains(between, "\x1b") || strings.Contains(between, "…") {
		t.Errorf("written while sudo owned the terminal: %q", between)
	}
	if all := shown.String() + out.String(); strings.Contains(all, "hidden") || strings.Contains(all, "secret") {
		t.Errorf("a password is shown: %s", all)
	}
}
