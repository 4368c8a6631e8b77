//go:build linux

package faults

import (
	"bytes"
	"os/exec"
	"sync"
	"syscall"
)

const terminate = syscall.SIGTERM

// lockedBuffer is output that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) text() *bytes.Buffer { return bytes.NewBufferString(l.String()) }

func (s *scene) empty() *bytes.Buffer { return &bytes.Buffer{} }

// npm skips a row that needs it.
func (s *scene) npm() {
	s.Helper()
	if lookPath("npm") == "" {
		s.Skip("npm is not here")
	}
}

func lookPath(name string) string {
	path, _ := exec.LookPath(name)
	return path
}
