package hostops

import "syscall"

// The kernel makes the files of /proc when they are read and never keeps a
// reader waiting: package os, which prepares each file for waiting, would take
// seven system calls where three do (measured: db:who 1,800 calls instead of
// 4,000).

// readProc reads a process's stat or cmdline, which a read that is not filled
// has the end of; its error is a syscall.Errno.
func readProc(path string) ([]byte, error) {
	fd, err := openProc(path)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	buf := make([]byte, 0, 1024)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := syscall.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return nil, err
		case n < cap(buf)-len(buf):
			return buf[:len(buf)+n], nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}

// namesIn lists a folder of /proc; its error is a syscall.Errno.
func namesIn(path string) ([]string, error) {
	fd, err := openProc(path)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var names []string
	buf := make([]byte, 16<<10)
	for {
		n, err := syscall.ReadDirent(fd, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return names, err
		case n <= 0:
			return names, nil
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
}

func openProc(path string) (int, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}
