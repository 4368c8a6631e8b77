package pgserver

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// sudoAnswer is whether sudo runs a command as root without a password.
type sudoAnswer struct {
	may    bool
	reason string // why not, in words that go on after "and"
	never  bool   // not with a password either
}

// manual is the error for a command that root has to run.
func (a sudoAnswer) manual(why string, argv ...string) error {
	if a.never {
		return &ManualRestart{Why: why + ", and " + a.reason, Command: shellLine(argv), Who: "root"}
	}
	return &ManualRestart{Why: why + ", and " + a.reason, Command: shellLine(append([]string{"sudo"}, argv...))}
}

// sudoMay asks sudo about each of these commands.
//
// `sudo -n -l COMMAND` is no answer: it succeeds for a command that wants a
// password where another one does not. `sudo -n -v` succeeds where no entry
// wants one, or the password was given a moment ago; else the entries decide,
// of which the last one that fits counts (sudoers(5)).
func sudoMay(commands ...[]string) sudoAnswer {
	if _, err := exec.LookPath("sudo"); err != nil {
		return sudoAnswer{reason: "there is no sudo here", never: true}
	}
	_, err := ask("sudo", "-n", "-v")
	if err != nil && strings.Contains(err.Error(), "may not run sudo") {
		return sudoAnswer{reason: "this user may not use sudo", never: true}
	}
	free := err == nil
	list := ""
	if !free {
		if list, err = ask("sudo", "-n", "-l", "-l"); err != nil {
			return sudoAnswer{reason: "sudo wants a password"}
		}
	}
	for _, argv := range commands {
		// Its answer is the command with its full path.
		full, err := ask("sudo", append([]string{"-n", "-l"}, argv...)...)
		if err != nil {
			return sudoAnswer{reason: "sudo does not allow it to this user", never: true}
		}
		if !free && !withoutPassword(list, strings.TrimSpace(full)) {
			return sudoAnswer{reason: "sudo wants a password for it"}
		}
	}
	return sudoAnswer{may: true}
}

// withoutPassword reads the entries of `sudo -l -l` for a command with its
// path and arguments.
func withoutPassword(list, command string) bool {
	free, may := false, false
	authenticate, commands, root := true, false, true
	for line := range strings.Lines(list) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(text, "Sudoers entry"):
			authenticate, commands, root = true, false, true
		case strings.HasPrefix(text, "RunAsUsers:"):
			users := strings.Split(strings.TrimSpace(strings.TrimPrefix(text, "RunAsUsers:")), ", ")
			root = slices.Contains(users, "root") || slices.Contains(users, "ALL")
		case strings.HasPrefix(text, "Options:"):
			authenticate = !strings.Contains(text, "!authenticate")
		case text == "Commands:":
			commands = true
		case commands && root && strings.HasPrefix(text, "!") && sudoMatches(text[1:], command):
			may = false
		case commands && root && sudoMatches(text, command):
			may, free = true, !authenticate
		}
	}
	return may && free
}

// sudoMatches compares a command of a sudoers entry: ALL, a path alone, which
// allows all arguments, or a path with arguments; * and ? stand for any
// characters, spaces included.
func sudoMatches(entry, command string) bool {
	if entry == "ALL" {
		return true
	}
	path, args, some := strings.Cut(entry, " ")
	if !some {
		command, _, _ = strings.Cut(command, " ")
		return glob(path, command)
	}
	if args == `""` {
		return glob(path, command)
	}
	return glob(entry, command)
}

func glob(pattern, text string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	ok, err := regexp.MatchString("^"+expression+"$", text)
	return err == nil && ok
}

// sudoTyped is a command for a person to type who has to become another
// account first.
func sudoTyped(uid int, command string) string {
	if os.Geteuid() == 0 {
		return command
	}
	if uid > 0 {
		return "sudo -u " + shellWord(accountOf(uint32(uid)).name) + " " + command
	}
	return "sudo " + command
}
