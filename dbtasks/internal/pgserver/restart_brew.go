package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// inCellar is a program of a Homebrew formula, on Apple's and on Intel's prefix
// (https://docs.brew.sh/Installation).
var inCellar = lazyregexp.New(`^(/opt/homebrew|/usr/local)/Cellar/(postgresql(?:@[0-9.]+)?)/`)

// planBrew restarts the service of the formula that the executable belongs to,
// when launchd has that service and the data directory is the service's: the
// same program may be run by hand on another folder.
func planBrew(pm Postmaster, s surroundings) (Restart, bool, error) {
	home, _ := os.UserHomeDir()
	return brewPlan(pm, s.exe, []string{filepath.Join(home, "Library", "LaunchAgents"), "/Library/LaunchDaemons"})
}

func brewPlan(pm Postmaster, exe string, agents []string) (Restart, bool, error) {
	m := inCellar().FindStringSubmatch(exe)
	if m == nil {
		return Restart{}, false, nil
	}
	prefix, formula := m[1], m[2]
	if pm.DataDir != prefix+"/var/"+formula && pm.DataDir != prefix+"/var/postgres" {
		return Restart{}, false, nil
	}
	for _, dir := range agents {
		plist := filepath.Join(dir, "homebrew.mxcl."+formula+".plist")
		if !exists(plist) {
			continue
		}
		argv := []string{prefix + "/bin/brew", "services", "restart", formula}
		if strings.HasPrefix(dir, "/Library") && os.Geteuid() != 0 {
			return Restart{}, false, &ManualRestart{Why: "its Homebrew service is root's", Command: "sudo " + strings.Join(argv, " ")}
		}
		r := planProgram(RestartByBrew, argv, fmt.Sprintf("its executable is %s's, and launchd has %s", formula, plist))
		r.Log = prefix + "/var/log/" + formula + ".log" // the formula's service block says so
		return r, true, nil
	}
	return Restart{}, false, nil
}
