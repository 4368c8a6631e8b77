package devserver

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// ownVariables are those that only Mage, cmd/go's toolchain switch or this
// tool put into the environment. Measured with "go tool mage" (Mage 1.17.2,
// Go 1.26): MAGEFILE_GOCMD, MAGEFILE_VERBOSE and GOROOT/bin in front of PATH
// are all that is added; the rest comes with Mage's flags -v, -debug, -t and
// with a go.mod that asks for a newer Go. Settings that users make for Mage
// (MAGEFILE_CACHE, MAGEFILE_HASHFAST, …) stay.
var ownVariables = []string{
	"MAGEFILE_GOCMD", "MAGEFILE_VERBOSE", "MAGEFILE_DEBUG", "MAGEFILE_TIMEOUT", "MAGEFILE_LIST", "MAGEFILE_HELP",
	"GOTOOLCHAIN_INTERNAL_SWITCH_VERSION", "GOTOOLCHAIN_INTERNAL_SWITCH_COUNT",
	roleVariable, "DBTASKS_PROGRAM",
}

// roleVariable is package reexec's; it unsets it before a role begins.
const roleVariable = "DBTASKS_ROLE"

// environment is what the package manager would have had without us, with
// PGAPPNAME (libpq's, node-postgres' and Prisma's adapter's default for
// application_name) set to name.
func environment(environ []string, root, name string) []string {
	mage := lookup(environ, "MAGEFILE_GOCMD") != nil
	switched := lookup(environ, "GOTOOLCHAIN_INTERNAL_SWITCH_VERSION") != nil
	env := slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(ownVariables, func(own string) bool { return sameVariable(own, key) }) ||
			// The switch sets GOROOT to the other toolchain's.
			switched && sameVariable("GOROOT", key)
	})
	if path := lookup(env, "PATH"); mage && path != nil {
		env = set(env, "PATH", withoutGoBin(*path))
	}
	if lookup(env, "PGAPPNAME") == nil && !inDotenv(root, "PGAPPNAME") {
		env = set(env, "PGAPPNAME", name)
	}
	return env
}

// withoutGoBin takes away the folder that "go tool" puts in front of PATH. It
// stays where it is the only place that has go: then it may be the user's.
func withoutGoBin(path string) string {
	first, rest, _ := strings.Cut(path, string(os.PathListSeparator))
	if !slices.Contains(filepath.SplitList(rest), first) {
		return path
	}
	for _, name := range []string{"go", "go.exe"} {
		if _, err := os.Stat(filepath.Join(first, name)); err == nil {
			return rest
		}
	}
	return path
}

// inDotenv tells whether the project's own files set key: applications' loaders
// do not override what is in the environment, so ours would win over theirs.
func inDotenv(root, key string) bool {
	for _, file := range []string{".env.local", ".env"} {
		if list, err := settings.Assignments(root, file); err == nil {
			if slices.ContainsFunc(list, func(a settings.Assignment) bool { return a.Name == key }) {
				return true
			}
		}
	}
	return false
}

// sameVariable compares names as the operating system does.
func sameVariable(a, b string) bool {
	return a == b || runtime.GOOS == "windows" && strings.EqualFold(a, b)
}

// lookup is the value of key, the last one where there are several (as os/exec
// has it); nil: not set.
func lookup(env []string, key string) *string {
	for _, kv := range slices.Backward(env) {
		if k, v, ok := strings.Cut(kv, "="); ok && sameVariable(k, key) {
			return &v
		}
	}
	return nil
}

func set(env []string, key, value string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return sameVariable(k, key)
	})
	return append(env, key+"="+value)
}
