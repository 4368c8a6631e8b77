package jsproject

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// rootMarks are what the folder of a project has.
var rootMarks = []string{"package.json", "go.mod", ".git"}

// Root is the project that dir (absolute) lies in: the nearest folder upwards
// with package.json, go.mod or .git; "" where there is none. Folders that hold
// everything are no project's, see HoldsEverything, and nothing is looked for
// above one.
func Root(dir string) string {
	for at := filepath.Clean(dir); !HoldsEverything(at); at = filepath.Dir(at) {
		if slices.ContainsFunc(rootMarks, func(mark string) bool { return plainfile.Exists(filepath.Join(at, mark)) }) {
			return at
		}
	}
	return ""
}

// HoldsEverything tells a folder that can't be one project's: the root of the
// file system, this user's home folder, or one above it. A stray package.json
// there would make every project of the account this one.
func HoldsEverything(dir string) bool {
	if filepath.Dir(dir) == dir {
		return true
	}
	if home, err := os.UserHomeDir(); err == nil && dir == filepath.Clean(home) {
		return true
	}
	home := accountHome()
	for home != "" && filepath.Dir(home) != home {
		if dir == home {
			return true
		}
		home = filepath.Dir(home)
	}
	return false
}

// accountHome is the home folder by the list of accounts, whatever HOME says.
var accountHome = sync.OnceValue(func() string {
	me, err := user.Current()
	if err != nil || !filepath.IsAbs(me.HomeDir) {
		return ""
	}
	return filepath.Clean(me.HomeDir)
})
