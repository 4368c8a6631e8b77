package near

import "testing"

func TestTheNameThatWasMeantIsFound(t *testing.T) {
	t.Parallel()
	names := []string{"DBTASKS_PORTS", "DBTASKS_WARN", "DBTASKS_DEV_COMMAND", "dev", "build"}
	for word, want := range map[string]string{
		"DBTASKS_PORT": "DBTASKS_PORTS", "dbtasks_wran": "DBTASKS_WARN", "DBTASKS_DEVCOMMAND": "DBTASKS_DEV_COMMAND",
		"devv": "dev", "biuld": "build", "start": "", "": "",
	} {
		if got := Of(word, names); got != want {
			t.Errorf("%s was meant to be %q, not %q", word, want, got)
		}
	}
}
