package wirefuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// A shorter bound than users have: a thousand runs wait for it.
func TestMain(m *testing.M) {
	pgops.QuestionTimeout = 2 * time.Second
	pgtest.Main(m)
}

// longest is what a run may take: each way in has its timeout, a cleanup 20 s in
// all, and the machine is busy with the other runs.
const longest = 45 * time.Second

// mostMemory is what all runs together may have from the system, in bytes.
const mostMemory = 1 << 30

func runs(t *testing.T) (seeds []uint64) {
	t.Helper()
	if seed := os.Getenv("DBTASKS_WIRE_SEED"); seed != "" {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{n}
	}
	n, err := strconv.Atoi(os.Getenv("DBTASKS_WIRE_RUNS"))
	if err != nil {
		n = 60
	}
	for i := range n {
		seeds = append(seeds, uint64(i))
	}
	return seeds
}

func TestNothingThatAServerSendsIsTooMuch(t *testing.T) {
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 100})
	db, other := s.NewDatabase(), s.NewDatabase()
	witness := other.Open(3, "witness")
	list, next := runs(t), 0
	var mu sync.Mutex
	var done sync.WaitGroup
	slowest := time.Duration(0)
	for range 8 {
		done.Go(func() {
			for {
				mu.Lock()
				if next == len(list) {
					mu.Unlock()
					return
				}
				seed := list[next]
				next++
				mu.Unlock()
				took := once(t, s, db, seed)
				mu.Lock()
				slowest = max(slowest, took)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	for _, c := range witness {
		if err := c.Ping(context.Background()); err != nil {
			t.Errorf("a session of another database was ended: %v", err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d runs, the slowest %s, %d MB from the system", len(list), slowest.Round(time.Millisecond), m.Sys>>20)
	if m.Sys > mostMemory {
		t.Errorf("%d MB from the system", m.Sys>>20)
	}
}

// once is one target before one mad server.
func once(t *testing.T, s *pgtest.Server, db pgtest.Database, seed uint64) time.Duration {
	server := startMad(t, fmt.Sprintf("127.0.0.1:%d", s.Port), seed)
	defer server.close()
	rng := rand.New(rand.NewPCG(seed, 1))
	_, port, _ := strings.Cut(server.Addr().String(), ":")
	url := strings.Replace(db.URL("connection_limit=2", "sslmode=disable", "connect_timeout=1"), fmt.Sprintf(":%d/", s.Port), ":"+port+"/", 1)
	if rng.IntN(3) == 0 {
		url += "&pgbouncer=true"
	}
	var progress bytes.Buffer
	d, err := runbook.OpenWith(t.TempDir(), runbook.OpenOptions{Environ: []string{"DATABASE_URL=" + url}, Progress: &lockedWriter{w: &progress}})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*longest)
	defer cancel()
	targets := []struct {
		name string
		call func() (any, func(*screen.Printer), error)
	}{
		{"db:test", func() (any, func(*screen.Printer), error) {
			r, err := d.Test(ctx, runbook.TestOptions{})
			return r, func(p *screen.Printer) { p.Test(r) }, err
		}},
		{"db:who", func() (any, func(*screen.Printer), error) {
			r, err := d.Who(ctx)
			return r, func(p *screen.Printer) { p.Who(r) }, err
		}},
		{"db:limits", func() (any, func(*screen.Printer), error) {
			r, err := d.Limits(ctx, runbook.LimitsOptions{})
			return r, func(p *screen.Printer) { p.Limits(r) }, err
		}},
		{"db:cleanup", func() (any, func(*screen.Printer), error) {
			r, err := d.Cleanup(ctx, runbook.CleanupOptions{Remote: db.Name, Force: rng.IntN(2) == 0, Dry: rng.IntN(3) == 0})
			return r, func(p *screen.Printer) { p.Cleanup(r) }, err
		}},
		{"db:monitor", func() (any, func(*screen.Printer), error) {
			var last runbook.MonitorSample
			r, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 50 * time.Millisecond, For: 400 * time.Millisecond}, func(s runbook.MonitorSample) { last = s })
			return last, func(p *screen.Printer) { p.Sample(last); p.Table(last); p.Monitor(r) }, err
		}},
	}
	target := targets[rng.IntN(len(targets))]
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("seed %d, %s: panic: %v", seed, target.name, p)
		}
	}()
	began := time.Now()
	report, text, err := target.call()
	took := time.Since(began)
	if took > longest {
		t.Errorf("seed %d, %s took %s", seed, target.name, took)
	}
	var out, jsonOut bytes.Buffer
	if err != nil {
		f := runbook.AsFailure(err)
		out.WriteString(screen.FailureText(f))
		screen.New(&jsonOut).Failure(f)
	} else {
		text(screen.New(&out))
		screen.New(&jsonOut).JSON(report)
	}
	out.Write(progress.Bytes())
	if !json.Valid(jsonOut.Bytes()) {
		t.Errorf("seed %d, %s: not JSON: %.200q", seed, target.name, jsonOut.String())
	}
	for name, text := range map[string]string{"text": out.String(), "JSON": jsonOut.String()} {
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || strings.Contains(text, "\nNext: curl") {
			t.Errorf("seed %d, %s: garbage in the %s: %.300q", seed, target.name, name, text[max(0, i):])
		}
		if len(text) > 4<<20 {
			t.Errorf("seed %d, %s: %d bytes of %s", seed, target.name, len(text), name)
		}
	}
	return took
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
