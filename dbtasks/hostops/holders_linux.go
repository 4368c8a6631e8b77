package hostops

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

var socketLink = []byte("socket:[")

// holders maps the inodes of sockets to the processes that hold them, lowest
// pid first, as far as this user may look, in one pass over /proc. The kernel's
// answers take the time, a call for each descriptor: the processors share them.
func holders(ctx context.Context, skip func(pid int) bool) (map[uint64][]int, error) {
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("look for the holders of sockets: %w", err)
	}
	workers := min(runtime.GOMAXPROCS(0), 8)
	parts := make([]map[uint64][]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		parts[w] = map[uint64][]int{}
		wg.Go(func() {
			for i := w; i < len(pids) && ctx.Err() == nil; i += workers {
				if !skip(pids[i]) {
					addHolder(parts[w], pids[i])
				}
			}
		})
	}
	wg.Wait()
	byInode := parts[0]
	for _, part := range parts[1:] {
		for inode, list := range part {
			byInode[inode] = append(byInode[inode], list...)
		}
	}
	for _, list := range byInode {
		slices.Sort(list)
	}
	return byInode, ctx.Err()
}

// addHolder reads the descriptors of one process.
func addHolder(byInode map[uint64][]int, pid int) {
	dir, err := os.Open(procDir(pid) + "/fd")
	if err != nil {
		return // another user's, or gone
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	buf := make([]byte, 64)
	for _, name := range names {
		n, err := syscall.Readlink(dir.Name()+"/"+name, buf)
		if err != nil || !bytes.HasPrefix(buf[:n], socketLink) {
			continue
		}
		inode, err := strconv.ParseUint(string(bytes.TrimSuffix(buf[len(socketLink):n], []byte("]"))), 10, 64)
		if err != nil {
			continue
		}
		// One process's descriptors come in a row: a second one of the
		// same socket finds its pid last.
		if list := byInode[inode]; len(list) == 0 || list[len(list)-1] != pid {
			byInode[inode] = append(list, pid)
		}
	}
}
