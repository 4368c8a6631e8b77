package dbtasks

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/process"
)

// npmForce tells whether --force stood on the command line of the very
// "npm run" that started us. npm (measured with 11.19) keeps that flag to
// itself: argv is empty and the environment has npm_config_force=true. But the
// same variable comes of a .npmrc with force=true and of an npm further up,
// and a bare target must be harmless: so it counts only when the npm above us
// did not itself inherit it, and no .npmrc sets it. Where the npm above can't
// be looked at it does not count.
func npmForce(environ []string, parent int) bool {
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[strings.ToLower(k)] = v
		}
	}
	if env["npm_config_force"] != "true" || env["npm_lifecycle_event"] == "" {
		return false
	}
	for _, file := range []string{env["npm_config_userconfig"], env["npm_config_globalconfig"], filepath.Join(env["npm_config_local_prefix"], ".npmrc")} {
		if npmrcForces(file) {
			return false
		}
	}
	inherited, known := npmInherited(parent)
	return known && !inherited
}

func npmrcForces(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if strings.EqualFold(strings.TrimSpace(key), "force") && (!ok || strings.TrimSpace(value) != "false") {
			return true
		}
	}
	return false
}

// npmInherited climbs to the npm above pid (mage, go and shells lie between)
// and tells whether its own environment had the variable.
func npmInherited(pid int) (inherited, known bool) {
	for range 12 {
		p, err := process.NewProcess(int32(pid))
		if err != nil {
			return false, false
		}
		if title, err := p.Cmdline(); err == nil && strings.HasPrefix(title, "npm ") {
			environ, err := p.Environ()
			if err != nil {
				return false, false
			}
			for _, kv := range environ {
				if k, v, _ := strings.Cut(kv, "="); strings.EqualFold(k, "npm_config_force") && v == "true" {
					return true, true
				}
			}
			return false, true
		}
		up, err := p.Ppid()
		if err != nil {
			return false, false
		}
		pid = int(up)
	}
	return false, false
}

func itoa(n int) string { return strconv.Itoa(n) }
