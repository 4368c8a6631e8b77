package pgserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// logMark is where the server's log ended when a restart began.
type logMark struct {
	at   time.Time
	size map[string]int64
}

// serverLog is the file that the server writes its messages to, "" where it is
// not known or no file: what its logging collector says, else where its
// standard error goes, else where Debian puts a cluster's.
func serverLog(s Subject) string {
	if s.Files != nil {
		if text, err := os.ReadFile(filepath.Join(s.DataDir, "current_logfiles")); err == nil {
			for line := range strings.Lines(string(text)) {
				if kind, file, found := strings.Cut(strings.TrimSpace(line), " "); found && kind == "stderr" {
					return absolute(s.DataDir, file)
				}
			}
		}
	}
	if path := stderrFile(s.PID); path != "" {
		return path
	}
	if version, name, ok := clusterOf("/etc/postgresql", settingsFile(s.Args)); ok {
		if path := fmt.Sprintf("/var/log/postgresql/postgresql-%s-%s.log", version, name); exists(path) {
			return path
		}
	}
	return ""
}

// logFiles are the files where a FATAL may be: the server says the first words
// on its standard error even where a collector takes the others.
func (r Restart) logFiles() []string {
	files := []string{}
	for _, path := range []string{r.Log, serverLog(r.Subject)} {
		if filepath.IsAbs(path) {
			files = append(files, path)
		}
	}
	return files
}

func (r Restart) mark() logMark {
	m := logMark{at: time.Now(), size: map[string]int64{}}
	for _, path := range r.logFiles() {
		if info, err := os.Stat(path); err == nil {
			m.size[path] = info.Size()
		}
	}
	return m
}

// lastFatal is the last FATAL or PANIC that the server wrote since then.
func (r Restart) lastFatal(since logMark) string {
	last := ""
	for _, path := range r.logFiles() {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		size := int64(0)
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		_, _ = f.Seek(max(since.size[path], size-logTail), io.SeekStart)
		text, _ := io.ReadAll(io.LimitReader(f, logTail))
		_ = f.Close()
		if found := fatalIn(string(text)); found != "" {
			last = found
		}
	}
	if last == "" && len(r.showLog.Argv) > 0 {
		c := r.showLog
		if !since.at.IsZero() && c.Argv[0] == "journalctl" {
			c.Argv = append(append([]string{}, c.Argv...), "--since", "@"+strconv.FormatInt(since.at.Unix(), 10))
		}
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr, cmd.WaitDelay = c.Dir, c.Env, c.account.attr(), askTimeout
		text, _ := cmd.CombinedOutput() // an engine shows what a server said on its standard error there
		last = fatalIn(string(text))
	}
	return last
}

const logTail = 64 << 10

// fatalIn is the last line that says why a server ended, without what stands
// before the word; lines that tell of a refused client are not such.
func fatalIn(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		for _, word := range []string{"FATAL:", "PANIC:"} {
			i := strings.Index(line, word)
			if i < 0 || refusesClient(line) {
				continue
			}
			last = strings.TrimSpace(line[i+len(word):])
		}
	}
	return masked(last)
}

func refusesClient(line string) bool {
	for _, words := range []string{"starting up", "shutting down", "too many", "reserved for", "terminating", "authentication", "does not exist", "not yet accepting", "in recovery mode", "pg_hba.conf entry", "connection to client lost"} {
		if strings.Contains(line, words) {
			return true
		}
	}
	return false
}
