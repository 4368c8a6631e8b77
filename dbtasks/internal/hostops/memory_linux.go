package hostops

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PrivateMemory is the memory of a process that it shares with no other, in
// bytes (Private_* of /proc/PID/smaps_rollup): what its end would free. ok
// false: it is another user's, or gone.
func PrivateMemory(pid int) (bytes int64, ok bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text()) // "Private_Dirty:    536 kB"
		if len(fields) == 3 && strings.HasPrefix(fields[0], "Private_") {
			kB, _ := strconv.ParseInt(fields[1], 10, 64)
			bytes += kB << 10
		}
	}
	return bytes, bytes > 0 && lines.Err() == nil
}
