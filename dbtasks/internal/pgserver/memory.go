package pgserver

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// MemoryLimit is the most memory that the server may take, in bytes: its
// container's or its unit's limit. 0: none is known.
func (s Subject) MemoryLimit() int64 {
	least := int64(0)
	lower := func(text string) {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err == nil && n > 0 && n < 1<<60 && (least == 0 || n < least) { // version 1 says "none" as a huge number
			least = n
		}
	}
	for line := range strings.Lines(s.Cgroup) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for at := fields[2]; ; at = path.Dir(at) { // a slice above it may have the limit
			switch {
			case fields[1] == "":
				for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
					text, _ := os.ReadFile(path.Join(mount, at, "memory.max"))
					lower(string(text))
				}
			case strings.Contains(","+fields[1]+",", ",memory,"):
				text, _ := os.ReadFile(path.Join("/sys/fs/cgroup/memory", at, "memory.limit_in_bytes"))
				lower(string(text))
			}
			if at == "/" || at == "." {
				break
			}
		}
	}
	if s.Container != nil {
		lower(strconv.FormatInt(s.Container.MemoryLimit, 10))
	}
	return least
}
