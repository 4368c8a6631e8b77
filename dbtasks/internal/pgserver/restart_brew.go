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

// toldBrew tells the service of the formula that the executable belongs to,
// when launchd has that service and the data directory is the service's: the
// same program may be run by hand on another folder.
func toldBrew(s Subject) (found, bool, error) {
	home, _ := os.UserHomeDir()
	return brewIn(s, []string{filepath.Join(home, "Library", "LaunchAgents"), "/Library/LaunchDaemons"})
}

func brewIn(s Subject, agents []string) (found, bool, error) {
	m := inCellar().FindStringSubmatch(s.Exe)
	if m == nil {
		return found{}, false, nil
	}
	prefix, formula := m[1], m[2]
	if s.DataDir != prefix+"/var/"+formula && s.DataDir != prefix+"/var/postgres" {
		return found{}, false, nil
	}
	for _, dir := range agents {
		plist := filepath.Join(dir, "homebrew.mxcl."+formula+".plist")
		if !exists(plist) {
			continue
		}
		f := found{client: []string{prefix + "/bin/brew"}, name: formula, evidence: fmt.Sprintf("its executable is %s's, and launchd has %s", formula, plist)}
		if strings.HasPrefix(dir, "/Library") && os.Geteuid() != 0 {
			return found{}, false, errManual("its Homebrew service is root's", shellLine(append([]string{"sudo"}, f.client[0], "services", "restart", formula)))
		}
		f.log = prefix + "/var/log/" + formula + ".log" // the formula's service block says so
		return f, true, nil
	}
	return found{}, false, nil
}
