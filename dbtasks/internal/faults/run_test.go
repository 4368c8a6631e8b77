//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"
)

// outcome of one run of the tool.
type outcome struct {
	code           int
	stdout, stderr string
	memory         int64 // most resident bytes at a time, but for its last moment; 0: it was over too soon
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", o.code, o.stdout, o.stderr)
}

// said is the line with the promised words; else what the tool called its
// error, else its first line.
func (o outcome) said(words string) string {
	lines := strings.Split(o.stderr+o.stdout, "\n")
	for _, want := range []string{words, "Error: ", ""} {
		for _, l := range lines {
			if l = strings.TrimSpace(l); l != "" && want != "" && strings.Contains(l, want) {
				return shortened(strings.TrimPrefix(l, "Error: "))
			}
		}
	}
	return shortened(strings.TrimSpace(lines[0]))
}

func shortened(text string) string {
	if r := []rune(text); len(r) > 140 {
		return string(r[:139]) + "…"
	}
	return text
}

// command is the tool in the project, its output kept.
func (s *scene) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	runbook, _ := programs(s.T)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, runbook, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.project, s.environ(), s.account.attributes()
	cmd.WaitDelay = time.Second
	stdout, stderr := &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// run runs the tool to its end; what it printed is searched for secrets, and
// for what a terminal would obey.
func (s *scene) run(args ...string) outcome {
	cmd, stdout, stderr := s.command(args...)
	s.must(cmd.Start())
	peak := make(chan int64, 1)
	go func() { peak <- peakMemory(cmd.Process.Pid) }()
	o := s.outcome(cmd.Wait(), stdout, stderr)
	o.memory = <-peak
	if slices.Contains(args, "-json") {
		for line := range strings.Lines(o.stdout) {
			if !json.Valid([]byte(line)) {
				s.Errorf("no JSON: %.200q", line)
			}
		}
	}
	if at := strings.IndexFunc(o.stdout+o.stderr, unprintable); at >= 0 {
		s.Errorf("a terminal would obey this: %.100q", (o.stdout + o.stderr)[at:])
	}
	return o
}

// peakMemory reads the kernel's high-water mark of a process's resident memory
// until it has ended. What wait4 tells (ru_maxrss) is no less than that of the
// process which forked, here the tests themselves.
func peakMemory(pid int) (peak int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, after, found := strings.Cut(string(text), "VmHWM:")
		if err != nil || !found {
			return peak // it is gone, or a zombie
		}
		var kB int64
		if _, err := fmt.Sscan(after, &kB); err == nil {
			peak = max(peak, kB<<10)
		}
		<-tick.C
	}
}

func (s *scene) outcome(err error, stdout, stderr *bytes.Buffer) outcome {
	o := outcome{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		o.code = exit.ExitCode()
	case err != nil:
		s.Errorf("run the tool: %v", err)
	}
	if where, found := secrets.in(o.stdout + o.stderr); found {
		s.Errorf("a password is shown: …%s…", where)
	}
	return o
}

// unprintable are the characters that a terminal obeys or does not show.
func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
