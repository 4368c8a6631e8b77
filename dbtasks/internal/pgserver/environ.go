package pgserver

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// serverEnviron is what a server gets of our environment. It outlives us, so
// no password of ours goes along, and no PGPORT or PGDATA that would change it
// (https://www.postgresql.org/docs/current/libpq-envars.html).
func serverEnviron(extra ...string) []string {
	keep := []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LOCPATH", "LOCALE_ARCHIVE"}
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

// restartEnviron is what a server is started again with: what it was started
// with, where that is known. A locale from LOCPATH or LOCALE_ARCHIVE (Nix), a
// library path or PGPORT may stand nowhere else.
func restartEnviron(s Subject) []string {
	if len(s.Environ) == 0 {
		var extra []string
		if s.Files != nil && s.Files.Port != 0 {
			extra = append(extra, "PGPORT="+strconv.Itoa(s.Files.Port))
		}
		return serverEnviron(extra...)
	}
	// pg_ctl says it anew.
	env := slices.DeleteFunc(slices.Clone(s.Environ), func(entry string) bool { return strings.HasPrefix(entry, "PG_GRANDPARENT_PID=") })
	if variableIn(env, "PATH") == "" { // pg_ctl starts the server through a shell
		env = append(env, "PATH=/usr/local/bin:/usr/bin:/bin")
	}
	return env
}

// clientEnviron is what the client of a supervisor gets: ours, or, where root
// became another account for it, what is harmless of ours and that account's
// HOME.
func clientEnviron(s Subject, a account, variables []string) []string {
	if !a.switched {
		if len(variables) == 0 {
			return nil
		}
		return append(os.Environ(), variables...)
	}
	env := slices.DeleteFunc(serverEnviron(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "HOME" || name == "USER" || name == "LOGNAME"
	})
	for _, name := range []string{"HOME", "USER", "LOGNAME"} {
		if value := s.variable(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, variables...)
}
