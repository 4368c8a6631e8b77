package pgserver

import (
	"os"
	"strconv"
)

// stderrFile is the file that a process writes its errors to; "" when that is
// no file, or one that was removed.
func stderrFile(pid int) string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/2")
	if err != nil {
		return ""
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
