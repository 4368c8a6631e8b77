//go:build linux

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// nothingLeft checks what every row promises: no process, no session, no
// temporary file of ours is left, and the bystanders are as they were.
func (s *scene) nothingLeft() {
	s.Helper()
	var left []string
	deadline := time.Now().Add(3 * time.Second)
	for {
		if left = s.left(); len(left) == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(left) > 0 {
		s.row.left = strings.Join(left, ", ")
		s.Errorf("left behind: %s", s.row.left)
	}
	if !s.neighbour.alive() {
		s.Error("another project's server was ended")
	}
	if !s.ended {
		s.answer(s.others)
	}
	bystandersMu.Lock()
	defer bystandersMu.Unlock()
	s.answer(bystanders)
}

// answer: a session that was ended does not answer.
func (s *scene) answer(conns []*pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, c := range conns {
		if err := c.Ping(ctx); err != nil {
			s.Errorf("another database's session was ended: %v", err)
		}
	}
}

func (s *scene) left() (left []string) {
	for _, pid := range s.marked() {
		left = append(left, "process "+pid)
	}
	found, _ := filepath.Glob(filepath.Join(s.tmp, "*"))
	for _, path := range found {
		left = append(left, filepath.Base(path))
	}
	if n := s.toolSessions(); n > 0 {
		left = append(left, fmt.Sprintf("%d sessions", n))
	}
	return left
}

// marked are the processes of this scene; PostgreSQL is not ours, restarted by
// the tool or not.
func (s *scene) marked() (list []string) {
	for _, pid := range markedWith(s.marker) {
		if exe, err := os.Readlink("/proc/" + pid + "/exe"); err == nil && filepath.Base(exe) != "postgres" {
			list = append(list, pid+" "+commandLine(pid))
		}
	}
	return list
}

// markedWith are the processes with a mark in their environment.
func markedWith(mark string) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if environ, err := os.ReadFile("/proc/" + e.Name() + "/environ"); err == nil && strings.Contains(string(environ), mark) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// toolSessions counts the tool's sessions in the scene's database; a server
// that lets nobody in has none that could be counted.
func (s *scene) toolSessions() (n int) {
	if s.database.Name == "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.server.AdminURL("postgres"))
	if err != nil {
		return 0
	}
	defer conn.Close(ctx)
	_ = conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dbtasks' AND datname = $1", s.db().Name).Scan(&n)
	return n
}

func commandLine(pid string) string {
	text, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}

// startTime tells one process from a later one with its pid; empty: gone.
func startTime(pid int) string {
	if fields := statFields(pid); len(fields) > 19 && fields[0] != "Z" {
		return fields[19]
	}
	return ""
}

// state is a process's: R, S, T (stopped), Z …; empty: gone.
func state(pid int) string {
	if fields := statFields(pid); len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// statFields are those of /proc/<pid>/stat from the state on.
func statFields(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// eventually polls a condition of a scene.
func (s *scene) eventually(what string, cond func() bool) {
	s.Helper()
	pgtest.Eventually(s.T, 20*time.Second, what, cond)
}
