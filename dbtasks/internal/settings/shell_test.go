//go:build unix

package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestANameThatIsNearlyASettingIsNoted(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{".env": "A=1\nDBTASKS_PORT=3000\nDBTASKS_DEVCOMMAND=x\n"})
	c, err := Load(dir, []string{"DBTASKS_WRAN=5", "DBTASKS_WARN=5", "DBTASKS_PROGRAM=x", "DBTASKS_SOURCE=x", "DBTASKS_DEV_RUN=x", "DBTASKS_TEST_PG=15", "DBTASKS_TRIALS=1", "DBTASKS_STACKS=all"})
	if err != nil {
		t.Fatal(err)
	}
	notes := c.Misspelt()
	for _, want := range []string{".env, line 2 is no setting: did you mean DBTASKS_PORTS?", ".env, line 3 is no setting: did you mean DBTASKS_DEV_COMMAND?", "DBTASKS_WRAN of the environment is no setting: did you mean DBTASKS_WARN?"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasSuffix(n, want) }) {
			t.Errorf("%q is not among %q", want, notes)
		}
	}
	if len(notes) != 3 {
		t.Errorf("%q", notes)
	}
}

func TestALineThatNoShellCanReadIsToldAndMended(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"": "", "npm run dev": "", `echo "a b" 'c' $(x) && y`: "", "diff <(a) <(b)": "", "[[ -f x ]] && y": "",
		`echo "a`: `echo "a"`, "echo 'a": "echo 'a'", "echo $(a": "echo $(a)", `echo "$(a`: `echo "$(a)"`, "echo `a": "echo `a`", "a |": "?", "a && && b": "", "if a": "?",
	} {
		problem, mended := ShellProblem(line)
		if (problem == "") != (want == "") || want != "?" && mended != want {
			t.Errorf("%s: %q, mended %q, want %q", line, problem, mended, want)
		}
	}
}
