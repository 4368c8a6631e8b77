package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// read reads a line of a program that has a target build of its importer's own.
func read(line string) (Command, error) {
	return Read("dbtasks", strings.Fields(line), func() []string { return []string{"build", "Db:cleanup"} })
}

func TestACommandLineIsReadAsItWasMeant(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                                  "",
		"db:cleanup":                        "db:cleanup",
		"DB:Cleanup -FORCE":                 "DB:Cleanup -FORCE",
		"db:cleanup -force=false":           "db:cleanup -force=false",
		"pg:db:cleanup -dry":                "pg:db:cleanup -dry",
		"db:test db:cleanup -dry db:who":    "db:test db:cleanup -dry db:who",
		"db:monitor -for=10s -every=500ms":  "db:monitor -for=10s -every=500ms",
		"-v -t 5m db:test":                  "-v -t 5m db:test",
		"--list":                            "-l",
		"-h db:cleanup":                     "-h db:cleanup",
		"help db:cleanup":                   "-h db:cleanup",
		"db:cleanup --help":                 "-h db:cleanup",
		"help":                              "-l",
		"build force -x y":                  "build force -x y", // the importer's own affair
		"db:test build now db:cleanup -dry": "db:test build now db:cleanup -dry",
		"dev:recover -restart=always":       "dev:recover -restart=always",
	} {
		c, err := read(line)
		if err != nil || c.Own != "" || strings.Join(c.Args, " ") != want {
			t.Errorf("%q is %q %q, %v; want %q", line, c.Own, c.Args, err, want)
		}
	}
	for _, line := range []string{"version", "--version", "completion bash", "man"} {
		c, err := read(line)
		word, rest, _ := strings.Cut(strings.TrimLeft(line, "-"), " ")
		if err != nil || c.Own != word || strings.Join(c.Rest, " ") != rest {
			t.Errorf("%q is %+v, %v", line, c, err)
		}
	}
}

func TestWhatMageWouldMisreadIsRefusedWithTheLineToType(t *testing.T) {
	t.Parallel()
	for line, next := range map[string]string{
		"db:cleanup -force false":           "dbtasks db:cleanup -force=false",
		"db:cleanup force":                  "dbtasks db:cleanup -force",
		"DB:Cleanup Force":                  "dbtasks DB:Cleanup -force",
		"pg:db:cleanup -dry no":             "dbtasks pg:db:cleanup -dry=no",
		"db:test json":                      "dbtasks db:test -json",
		"db:who json":                       "dbtasks db:who -json",
		"db:monitor once":                   "dbtasks db:monitor -once",
		"db:test -json db:cleanup -dry on":  "dbtasks db:cleanup -dry=on",
		"db:cleanup idle":                   "dbtasks db:cleanup -idle=5m",
		"db:cleanup -idle 5m":               "dbtasks db:cleanup -idle=5m",
		"db:cleanup -idle=5":                "dbtasks db:cleanup -idle=5m (or 5s)",
		"db:cleanup -idle=soon":             "dbtasks db:cleanup -idle=5m",
		"db:cleanup -dry=yes":               "dbtasks db:cleanup -dry=true",
		"db:limits -raise=many":             "dbtasks db:limits -raise=10",
		"db:limits -raise=1.5":              "dbtasks db:limits -raise=10",
		"db:cleanup -f":                     "dbtasks db:cleanup -force",
		"db:cleanup --force":                "dbtasks db:cleanup -force",
		"db:cleanup --idle=5m":              "dbtasks db:cleanup -idle=5m",
		"db:cleanup --forec":                "dbtasks db:cleanup -force",
		"db:monitor -fro=5m":                "dbtasks db:monitor -for=5m",
		"dev:test -json":                    "dbtasks -h dev:test",
		"-force db:cleanup":                 "dbtasks db:cleanup -force",
		"--frobnicate":                      "dbtasks -l lists the targets, dbtasks -h <target> explains one",
		"cleanup":                           "dbtasks db:cleanup",
		"db cleanup":                        "dbtasks db:cleanup",
		"db:clean":                          "dbtasks db:cleanup",
		"recover":                           "dbtasks dev:recover",
		"montior":                           "dbtasks db:monitor",
		"dev:strat":                         "dbtasks dev:start",
		"frobnicate":                        "dbtasks -l lists the targets",
		"test":                              "dbtasks -l lists the targets", // of db or of dev?
		"db:test db:tset":                   "dbtasks db:test db:test",
		"db:cleanup -force -force=maybe -x": "dbtasks db:cleanup -force=true",
	} {
		c, err := read(line)
		if err == nil {
			t.Errorf("%q is read as %q", line, c.Args)
			continue
		}
		if f := runbook.AsFailure(err); f.Exit != runbook.ExitSettings || f.Code != "usage" || f.Next != next || !strings.Contains(f.Message, "othing was touched.") {
			t.Errorf("%q: %+v, want next %q", line, f, next)
		}
	}
}

func TestOfNoTargetAFlagIsMisread(t *testing.T) {
	t.Parallel()
	for _, target := range Targets {
		for _, f := range target.Flags {
			value := map[string]string{"bool": "", "int": "=3", "string": "=x", "time.Duration": "=3s"}[f.Type]
			line := target.Name + " -" + f.Name + value
			if c, err := read(line); err != nil || !slices.Equal(c.Args, strings.Fields(line)) {
				t.Errorf("%q is %q, %v", line, c.Args, err)
			}
			if _, err := read(target.Name + " " + f.Name); err == nil {
				t.Errorf("the word %s after %s is no error", f.Name, target.Name)
			}
		}
	}
}
