package hostops

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Place is where a process lives, as seen from this one.
type Place struct {
	// PIDs are its pids, the one here first, the innermost last (NSpid of
	// proc(5)); one where it sees the same processes as we do. Everybody may
	// know them.
	PIDs []int
	// Mounts is the inode of its mount namespace: equal numbers, equal
	// namespaces. 0: not for this user to know.
	Mounts uint64
	// Container and Engine are the id, 64 hexadecimal digits, and "docker" or
	// "podman" as its control group says; "" where that names none. Docker's may
	// be of another engine than the one that answers: compare the id.
	Container, Engine string
}

// Here is where this process lives. That does not change while it runs.
var Here = sync.OnceValues(func() (Place, error) { return PlaceOf(os.Getpid()) })

// Contained tells whether the process lives in a container, or another process
// table of its own: paths and pids that it tells are not ours.
func (p Place) Contained(here Place) bool {
	return len(p.PIDs) > len(here.PIDs) || p.Container != here.Container ||
		p.Mounts != 0 && here.Mounts != 0 && p.Mounts != here.Mounts
}

// parseNSpid reads the pids in /proc/PID/status, the reader's first.
func parseNSpid(status []byte) ([]int, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte("NSpid:"))
		if !ok {
			continue
		}
		var pids []int
		for word := range bytes.FieldsSeq(rest) {
			pid, err := strconv.Atoi(string(word))
			if err != nil {
				return nil, errMalformed
			}
			pids = append(pids, pid)
		}
		if len(pids) > 0 {
			return pids, nil
		}
	}
	return nil, errMalformed
}

// parseNamespace reads the target of a link in /proc/PID/ns, "mnt:[4026531841]".
func parseNamespace(link string) uint64 {
	_, inode, ok := strings.Cut(link, ":[")
	n, err := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n
}

// ContainerOf reads /proc/PID/cgroup for the container that it names: /docker/ID,
// docker-ID.scope, libpod-ID and libpod-ID.scope, also below another folder. A
// container in a container (kind's pods) is named by the outer one, which is the
// one that an engine of this machine knows.
func ContainerOf(cgroup string) (engine, id string) {
	m := containerGroup().FindStringSubmatch(cgroup)
	switch {
	case m == nil:
		return "", ""
	case m[1] == "libpod":
		return "podman", m[2]
	}
	return m[1], m[2]
}

var containerGroup = lazyregexp.New(`/(docker|libpod)(?:-payload)?[-/]([0-9a-f]{64})`)
