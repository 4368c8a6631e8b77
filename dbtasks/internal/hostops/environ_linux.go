package hostops

import (
	"os"
	"strings"
)

// Variables are these variables of the environment that a process was started
// with; those that it does not have are left out, and all of them where the
// process is another user's. What it changed since is not seen.
func Variables(pid int, names ...string) map[string]string {
	found := map[string]string{}
	text, err := os.ReadFile(procDir(pid) + "/environ")
	if err != nil {
		return found
	}
	for entry := range strings.SplitSeq(string(text), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		for _, wanted := range names {
			if name == wanted {
				found[name] = value
			}
		}
	}
	return found
}
