package plain_test

import (
	"os/exec"
	"runtime"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

func TestAWordIsOneWordToAShellAndNothingElse(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no bash to ask")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to ask")
	}
	for _, name := range []string{"shop", "shop;touch pwned", "app$(touch pwned)", "a`b`c", "it's", `a"b\c`, "a b\tc", "", "~", "-force", "*", "a\nNext: b", "x\x1b]0;PWNED\a", "evil\u202egnp", "a&b|c>d<e", "#c", "ü", "\xff"} {
		word := plain.Word(name)
		if plain.Line(word) != word {
			t.Errorf("%q is written %q, which a terminal obeys", name, word)
		}
		cmd := exec.Command(bash, "-c", "printf '%s|' "+word)
		cmd.Dir, cmd.Env = t.TempDir(), []string{"LC_ALL=C.UTF-8"}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != name+"|" {
			t.Errorf("%q is written %s, which bash takes for %q (%v)", name, word, out, err)
		}
	}
}
