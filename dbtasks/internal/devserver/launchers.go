package devserver

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// launchersOf are the processes above pid whose end is to end the run: go,
// mage and package managers in the same process group, with the shells between
// them. A shell above all of them is the user's, or a script that may well end
// before us ("mage dev:start &"); an interactive one gives each job a group.
func launchersOf(table *hostops.Table, pid int) []hostops.Process {
	self, ok := table.Process(pid)
	if !ok {
		return nil
	}
	var launchers, shells []hostops.Process
	for _, up := range table.Ancestors(pid) {
		switch {
		case up.PGID != self.PGID:
			return launchers
		case startsRunbook(up.Args, up.Name):
			launchers = append(append(launchers, shells...), up)
			shells = nil
		case isShell(up.Args):
			shells = append(shells, up)
		default:
			return launchers
		}
	}
	return launchers
}

// startsRunbook tells mage, go ("go tool mage") and the package managers.
func startsRunbook(args []string, name string) bool {
	words := commandWords(args, name)
	if len(words) == 0 {
		return false
	}
	switch programBase(words[0]) {
	case "mage", "go":
		return true
	}
	switch tell(words).Name {
	case "npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx":
		return true
	}
	return false
}

func isShell(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"sh", "bash", "dash", "zsh", "ash", "ksh", "busybox", "cmd"}, programBase(args[0]))
}

func programBase(word string) string {
	base := path.Base(strings.ReplaceAll(word, `\`, "/"))
	return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(base, ".exe"), ".EXE"))
}

// missing is the first of them that has ended, for people; "" when all are there.
func missing(launchers []hostops.Process) string {
	for _, l := range launchers {
		if hostops.Gone(l.Identity) {
			return fmt.Sprintf("%s (pid %d) is gone", l.Command(), l.PID)
		}
	}
	return ""
}
