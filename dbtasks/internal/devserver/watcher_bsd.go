//go:build unix && !linux

package devserver

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// watcher is there on Linux alone: elsewhere what a process inherited can't be
// seen, and the kernel tells no child of its parent's death.
type watcher struct {
	life *os.File
	mark string
}

func startWatcher(time.Duration) (*watcher, error) { return nil, errors.ErrUnsupported }

func (*watcher) dismiss() {}

func dieWithParent(*exec.Cmd) {}
