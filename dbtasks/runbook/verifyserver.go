package runbook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// provedServer is the dev server under proof.
type provedServer struct {
	url     string
	started bool
	command string
	root    string
	path    string         // of the page that is asked for
	port    int            // that a started server was given
	usual   int            // where its framework listens unless told; 0: not known
	at      netip.AddrPort // where a started server was found to listen; zero: the URL alone tells
	pid     atomic.Int64   // of the command that was started; 0: it runs already
	log     *os.File       // what the started one says
	cancel  context.CancelFunc
	ended   chan struct{}
	client  http.Client
}

// serve starts the dev server, or takes the one that runs at -url.
func (v *verification) serve(ctx context.Context) (*provedServer, error) {
	s := &provedServer{root: projectRoot(v.rb), path: "/"}
	s.client = http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: s.dial, MaxIdleConnsPerHost: verifyRequests}}
	switch {
	case strings.HasPrefix(v.o.URL, "/"):
		s.path = v.o.URL
	case v.o.URL != "":
		u, err := url.Parse(v.o.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-url=%s is no address of a page; nothing was touched.", v.o.URL),
				Next: v.rb.Command("dev:verify -url=http://localhost:3000/path") + ", or a path alone to have the server started"}
		}
		s.url = v.o.URL
		return s, s.ownAnswers(ctx, v.rb, u)
	}
	return s, s.start(ctx, v.rb)
}

func (s *provedServer) start(ctx context.Context, rb *Runbook) error {
	port, err := devserver.FreePort(rb.cfg.Ports.All())
	if err != nil {
		return &Failure{Exit: ExitNotDone, Code: "no_port", Message: err.Error(), Next: rb.Command("dev:stop -dry") + " shows who holds the ports", Err: err}
	}
	command, err := devCommand(rb, StartOptions{}, port)
	if err != nil {
		return err
	}
	if s.log, err = os.CreateTemp("", "dbtasks-verify-*.log"); err != nil {
		return fmt.Errorf("keep what the dev server says: %w", err)
	}
	_ = os.Remove(s.log.Name()) // nothing is left however we end; Windows does it in stop
	s.started, s.command, s.port = true, command.Line, port
	s.listensOn(port)
	if pkg, err := jsproject.Read(rb.cfg.Root); err == nil {
		f, _ := pkg.Framework()
		s.usual = f.Port
	}
	rb.progress("starting on port %d: %s", port, command.Line)
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

// said is how much a started server has said, in bytes.
func (s *provedServer) said() int64 {
	if s.log == nil {
		return 0
	}
	info, err := s.log.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
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
