package runbook

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// said is a writer that may be read while it is written to.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestALongWaitIsOneLineAndOnATerminalItsTimeRuns(t *testing.T) {
	t.Parallel()
	for _, terminal := range []bool{false, true} {
		var out said
		done := (&Runbook{out: &out, terminal: terminal}).waiting("waiting for the %s", "server")
		if terminal {
			pgtest.Eventually(t, 10*time.Second, "the second second is shown", func() bool { return strings.Contains(out.String(), "waiting for the server … 2 s") })
		} else {
			pgtest.Eventually(t, 10*time.Second, "it is said", func() bool { return out.String() == "waiting for the server …\n" })
		}
		done()
		done()
		if terminal != strings.HasSuffix(out.String(), "\r\x1b[K") || strings.Contains(out.String(), "\n") == terminal {
			t.Errorf("terminal %v: %q", terminal, out.String())
		}
	}
}

func TestAShortWaitIsSilent(t *testing.T) {
	t.Parallel()
	var out said
	(&Runbook{out: &out, terminal: true}).waiting("x")()
	(&Runbook{}).waiting("x")()
	if out.String() != "" {
		t.Errorf("%q", out.String())
	}
}
