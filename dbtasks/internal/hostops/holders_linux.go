package hostops

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/crash"
)

var socketLink = []byte("socket:[")

// holders maps the inodes of sockets to the processes that hold them, lowest
// pid first, as far as this user may look, in one pass over /proc.
func holders(ctx context.Context, skip func(pid int) bool) (map[uint64][]int, error) {
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("look for the holders of sockets: %w", err)
	}
	byInode := map[uint64][]int{}
	var mu sync.Mutex
	inParallel(len(pids), func(i int) {
		if ctx.Err() != nil || skip(pids[i]) {
			return
		}
		inodes := socketsOf(pids[i])
		mu.Lock()
		defer mu.Unlock()
		for _, inode := range inodes {
			byInode[inode] = append(byInode[inode], pids[i])
		}
	})
	for _, list := range byInode {
		slices.Sort(list)
	}
	return byInode, ctx.Err()
}

// socketsOf lists the inodes of one process's sockets, each once; none where it
// is another user's, or gone.
func socketsOf(pid int) []uint64 {
	dir := procDir(pid) + "/fd"
	names, err := namesIn(dir)
	if err != nil {
		return nil
	}
	var inodes []uint64
	buf := make([]byte, 64)
	for _, name := range names {
		n, err := syscall.Readlink(dir+"/"+name, buf)
		if err != nil || !bytes.HasPrefix(buf[:n], socketLink) {
			continue
		}
		inode, err := strconv.ParseUint(string(bytes.TrimSuffix(buf[len(socketLink):n], []byte("]"))), 10, 64)
		if err == nil {
			inodes = append(inodes, inode)
		}
	}
	slices.Sort(inodes)
	return slices.Compact(inodes)
}

// inParallel calls f for each of n, on a few processors: what is asked for are
// the kernel's answers, one call each.
func inParallel(n int, f func(i int)) {
	var next atomic.Int64
	var carried crash.Carried
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 8, n) {
		wg.Go(func() {
			carried.Do(func() {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					f(i)
				}
			})
		})
	}
	wg.Wait()
	carried.Rethrow()
}
