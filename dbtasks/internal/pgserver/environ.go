package pgserver

import (
	"os"
	"slices"
	"strings"
)

// serverEnviron is what a server gets of our environment. It outlives us, so
// no password of ours goes along, and no PGPORT or PGDATA that would change it
// (https://www.postgresql.org/docs/current/libpq-envars.html).
func serverEnviron(extra ...string) []string {
	keep := []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
	if os.PathSeparator == '\\' {
		keep = append(keep, "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "TEMP", "TMP", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME", "PROGRAMFILES", "PROGRAMDATA")
	}
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if os.PathSeparator == '\\' {
			name = strings.ToUpper(name)
		}
		if slices.Contains(keep, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, entry)
		}
	}
	return append(env, extra...)
}
