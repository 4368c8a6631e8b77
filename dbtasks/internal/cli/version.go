package cli

import (
	"fmt"
	"runtime/debug"
)

// Release is the version that a release was built as, and Commit its source's;
// both are set by the linker and empty elsewhere.
var Release, Commit string

// modulePath is this module's.
const modulePath = "github.com/pgrunbook/pgrunbook"

// Version is that of this module in the program: a release with its commit, what
// a go.mod requires, or where it was built from.
func Version() string {
	if Release != "" {
		return fmt.Sprintf("%s (commit %s)", Release, Commit)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			return "built from " + m.Replace.Path
		}
		if m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "built from source"
}
