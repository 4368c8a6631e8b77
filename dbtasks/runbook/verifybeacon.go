package runbook

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
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
