package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What a person has typed, and what has to be among the answers of his shell,
// or must not be.
var typed = []struct{ line, want, not string }{
	{"dbtasks db:cl", "db:cleanup", "db:who"},
	{"dbtasks ", "dev:recover", ""},
	{"dbtasks db:cleanup -", "-force", "-raise="},
	{"dbtasks db:test db:limits -r", "-raise=", "-wait="},
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	completes(t, "bash", `source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; `+identifier("dbtasks")+`; printf '%s\n' "${COMPREPLY[@]}"`, func(line string) string {
		// Its words end at colons, and so do the answers.
		word := line[strings.LastIndexByte(line, ' ')+1:]
		return word[:strings.LastIndexByte(word, ':')+1]
	})
}

func TestFishCompletes(t *testing.T) {
	t.Parallel()
	completes(t, "fish", `source $argv[1]; complete -C $argv[2] | string replace -r '\t.*' ''`, func(string) string { return "" })
}

// completes runs a shell with the script's file and the line as its arguments.
// cut is what the answers to a line leave out at their beginnings.
func completes(t *testing.T, shell, program string, cut func(line string) string) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil || runtime.GOOS == "windows" {
		t.Skipf("%s is not here", shell)
	}
	script, ok := Completion(shell, "dbtasks")
	if !ok {
		t.Fatalf("no script for %s", shell)
	}
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range typed {
		args := []string{"-c", program, "shell", file, c.line}
		if shell == "fish" {
			args = []string{"--no-config", "-c", program, file, c.line}
		}
		out, err := exec.Command(path, args...).CombinedOutput()
		answers := strings.Fields(string(out))
		for i := range answers {
			answers[i] = strings.TrimRight(cut(c.line)+answers[i], " ")
		}
		if err != nil || !slices.Contains(answers, strings.TrimSuffix(c.want, "=")) && !slices.Contains(answers, c.want) ||
			c.not != "" && (slices.Contains(answers, c.not) || slices.Contains(answers, strings.TrimSuffix(c.not, "="))) {
			t.Errorf("%s answers %q with %q (%v)", shell, c.line, answers, err)
		}
	}
}

// zsh completes in a terminal only: here its reading of the script is tried.
func TestZshReadsTheScript(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("zsh is not here")
	}
	script, _ := Completion("zsh", "dbtasks")
	file := filepath.Join(t.TempDir(), "_dbtasks")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "-f", "-c", `autoload -Uz compinit && compinit -D -u && source "$1" && whence -w `+identifier("dbtasks")+` && print $_comps[dbtasks]`, "zsh", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "function") || strings.Count(string(out), identifier("dbtasks")) != 2 {
		t.Errorf("%s (%v)", out, err)
	}
}

func TestTheManualPageIsSoundToGroff(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here")
	}
	cmd := exec.Command(path, "-man", "-Tascii", "-ww")
	cmd.Stdin = strings.NewReader(Man("dbtasks", "1.2.3"))
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	text := strings.Join(strings.Fields(string(out)), " ")
	if err != nil || warnings.Len() > 0 || !strings.Contains(text, "every client session of this database, not only idle ones") {
		t.Errorf("%v, %s", err, warnings.String())
	}
}
