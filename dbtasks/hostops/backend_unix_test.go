//go:build unix

package hostops

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

func TestABackendThatIsNotWhatThePlanSaidIsNotSignalled(t *testing.T) {
	t.Parallel()
	// We are the postmaster, and the sleeping child is the backend.
	self, err := Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	backend := start(t, exec.Command("sleep", "60"))
	later, title, stranger, other := backend, backend, self.Identity, self.Identity
	later.Started++
	title.Args = []string{"postgres: app shop [local] idle"}
	stranger.PID = 1
	other.Started++
	for what, err := range map[string]error{
		"another start":                  TerminateBackend(later, self.Identity),
		"another title":                  TerminateBackend(title, self.Identity),
		"another parent":                 TerminateBackend(backend, stranger),
		"a postmaster that was replaced": TerminateBackend(backend, other),
	} {
		if !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", what, err)
		}
	}
	if Gone(backend.Identity) {
		t.Fatal("it was signalled")
	}
	if err := TerminateBackend(backend, self.Identity); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return Gone(backend.Identity) })
}
