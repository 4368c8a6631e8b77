package hostops

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

var socketLink = []byte("socket:[")

// holders maps the inodes of sockets to the processes that hold them, as far
// as this user may look, in one pass over /proc.
func holders(ctx context.Context) (map[uint64][]int, error) {
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("look for the holders of sockets: %w", err)
	}
	byInode := map[uint64][]int{}
	buf := make([]byte, 64)
	for _, pid := range pids {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		dir, err := os.Open(procDir(pid) + "/fd")
		if err != nil {
			continue // another user's, or gone
		}
		names, _ := dir.Readdirnames(-1)
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
		_ = dir.Close()
	}
	return byInode, nil
}
