package runbook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// beacon is where the modules report that they were evaluated.
type beacon struct {
	listener net.Listener
	server   *http.Server
	reports  sync.Map // of numbers
}

func newBeacon() (*beacon, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the modules' reports: %w", err)
	}
	b := &beacon{listener: l}
	b.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/evaluated/"), "/"); ok {
			b.reports.Store(n, true)
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = b.server.Serve(l) }()
	return b, nil
}

// url is what a module asks for when it is evaluated for the nth time.
func (b *beacon) url(n, module int) string {
	return fmt.Sprintf("http://%s/evaluated/%d/%d", b.listener.Addr(), n, module)
}

func (b *beacon) heard(n int) bool {
	_, ok := b.reports.Load(strconv.Itoa(n))
	return ok
}

func (b *beacon) close() { _ = b.server.Close() }

// provedServer is the dev server under proof.
type provedServer struct {
	url     string
	started bool
	command string
	root    string
	pid     atomic.Int64 // of the command that was started; 0: it runs already
	log     *os.File     // what the started one says
	cancel  context.CancelFunc
	ended   chan struct{}
	client  http.Client
}

// How long the dev server has for its first page, and to evaluate a module
// again: the first compilation of a Next.js page takes its time.
const (
	firstPage   = 60 * time.Second
	evaluatedIn = 20 * time.Second
)

// serve starts the dev server, or takes the one that runs at -url.
func (v *verification) serve(ctx context.Context) (*provedServer, error) {
	s := &provedServer{root: projectRoot(v.deps), client: http.Client{Timeout: 30 * time.Second}}
	path := "/"
	switch {
	case strings.HasPrefix(v.o.URL, "/"):
		path = v.o.URL
	case v.o.URL != "":
		u, err := url.Parse(v.o.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-url=%s is no address of a page; nothing was touched.", v.o.URL),
				Next: v.deps.Command("dev:verify -url=http://localhost:3000/path") + ", or a path alone to have the server started"}
		}
		s.url = v.o.URL
		return s, nil
	}
	return s, s.start(ctx, v.deps, path)
}

func (s *provedServer) start(ctx context.Context, deps *Deps, path string) error {
	port, err := devserver.FreePort(deps.Config.Ports.All())
	if err != nil {
		return &Failure{Exit: ExitNotDone, Code: "no_port", Message: err.Error(), Next: deps.Command("dev:stop -dry") + " shows who holds the ports", Err: err}
	}
	command, err := devCommand(deps, StartOptions{}, port)
	if err != nil {
		return err
	}
	if s.log, err = os.CreateTemp("", "dbtasks-verify-*.log"); err != nil {
		return fmt.Errorf("keep what the dev server says: %w", err)
	}
	_ = os.Remove(s.log.Name()) // nothing is left however we end; Windows does it in stop
	s.url, s.started, s.command = fmt.Sprintf("http://localhost:%d%s", port, path), true, command.Line
	deps.progress("starting on port %d: %s", port, command.Line)
	runCtx, cancel := context.WithCancel(ctx)
	s.cancel, s.ended = cancel, make(chan struct{})
	go func() {
		defer close(s.ended)
		_, err := devserver.Run(runCtx, command, devserver.RunOptions{Stdout: s.log, Stderr: s.log, OnStart: func(pid int) { s.pid.Store(int64(pid)) }})
		if err != nil {
			fmt.Fprintln(s.log, err)
		}
	}()
	return nil
}

// stop ends a dev server that was started, and its whole tree.
func (s *provedServer) stop() {
	if s.cancel != nil {
		s.cancel()
		<-s.ended
	}
	if s.log != nil {
		_ = s.log.Close()
		_ = os.Remove(s.log.Name())
	}
	s.client.CloseIdleConnections()
}

// tail is the last that a started server said.
func (s *provedServer) tail() []string {
	if s.log == nil {
		return nil
	}
	// Not by the file's own offset: the server writes there.
	text, err := io.ReadAll(io.NewSectionReader(s.log, 0, math.MaxInt64))
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return append([]string{"the dev server said last:"}, lines[max(0, len(lines)-8):]...)
}

// get asks for the page once; 0: no answer.
func (s *provedServer) get(ctx context.Context) (status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Accept", "text/html,*/*")
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// burst asks for the page so many times at once, and counts those that failed.
func (s *provedServer) burst(ctx context.Context, n int) (failed int) {
	var wg sync.WaitGroup
	var bad atomic.Int64
	for range n {
		wg.Go(func() {
			if status := s.get(ctx); status == 0 || status >= 500 {
				bad.Add(1)
			}
		})
	}
	wg.Wait()
	return int(bad.Load())
}

// awaitPage asks until the page is there.
func (s *provedServer) awaitPage(ctx context.Context, deps *Deps) error {
	defer deps.waiting("waiting for %s", s.url)()
	status := 0
	for deadline := time.Now().Add(firstPage); time.Now().Before(deadline); {
		if status = s.get(ctx); status >= 200 && status < 400 {
			return nil
		}
		if s.started {
			if err := s.dead(deps, "before it answered"); err != nil {
				return err
			}
		} else if status == 0 {
			break
		}
		if status >= 400 && status < 500 {
			break
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("answers %d", status)
	if status == 0 {
		what = "does not answer"
	}
	return &Failure{Exit: ExitNotDone, Code: "no_page", Message: fmt.Sprintf("%s %s: nothing is proven.", s.url, what), Details: s.tail(),
		Next: "give a page that works and queries the database: " + deps.Command("dev:verify -url=/path/of/it")}
}

// dead is a failure when the server that was started has ended.
func (s *provedServer) dead(deps *Deps, when string) error {
	select {
	case <-s.ended:
		return &Failure{Exit: ExitNotDone, Code: "no_server", Message: fmt.Sprintf("The dev server ended %s: nothing is proven.", when), Details: s.tail(), Next: deps.Command("dev:start")}
	default: // it runs, or was not started by us: then ended is nil
		return nil
	}
}

// askUntil asks for the page until done, or the time for it is over.
func (s *provedServer) askUntil(ctx context.Context, deps *Deps, done func() bool) error {
	for deadline := time.Now().Add(evaluatedIn); !done() && time.Now().Before(deadline); {
		s.get(ctx)
		if done() {
			break
		}
		if err := s.dead(deps, "during the proof"); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// owns tells whether a process is of this dev server: of the tree that was
// started, or, with -url, of this project.
func (s *provedServer) owns(table *hostops.Table, pid int) bool {
	if !s.started {
		return machine.Within(table.Detail(pid).Dir, s.root)
	}
	started := int(s.pid.Load())
	if pid == started {
		return true
	}
	for _, up := range table.Ancestors(pid) {
		if up.PID == started {
			return true
		}
	}
	return false
}
