package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// packageSteps adds the npm scripts that are not there.
func (p Project) packageSteps(o Options) ([]Step, error) {
	const file = "package.json"
	wanted := []member{
		{"db:cleanup", "bash scripts/cleanup-db-connections.sh"},
		{"db:monitor", "bash scripts/monitor-connections.sh"},
		{"db:test", "bash scripts/run-target.sh db:test"},
		{"dev:recover", "bash scripts/recover.sh"},
	}
	if o.Package {
		for i, m := range wanted {
			wanted[i].value = "dbtasks " + m.key
		}
	}
	if p.Vitest {
		wanted = append(wanted, member{"test:run", "vitest run"})
	}
	var add, others []member
	for _, m := range wanted {
		if have, ok := p.pkg.Scripts[m.key]; !ok {
			add = append(add, m)
		} else if have != m.value && m.key != "test:run" {
			others = append(others, m)
		}
	}
	var steps []Step
	if len(add) > 0 {
		before, err := readFile(p.path(file))
		if err != nil {
			return nil, unreadable(file, err)
		}
		after, err := insertMembers(before, "scripts", add)
		if err != nil || !sameBut(before, after, add) {
			return nil, &ProjectError{ErrFile, "package.json can't be added to: its scripts are no object; nothing was touched.", `write into package.json: "scripts": {}`}
		}
		var names []string
		for _, m := range add {
			names = append(names, m.key)
		}
		steps = append(steps, merged(file, "scripts "+strings.Join(names, ", "), before, after))
	}
	if len(others) > 0 {
		var show strings.Builder
		for _, m := range others {
			if !strings.Contains(p.pkg.Scripts[m.key], m.key) && !strings.Contains(p.pkg.Scripts[m.key], path.Base(strings.Fields(m.value)[1])) {
				fmt.Fprintf(&show, "%s: %s\n", quote(m.key), quote(m.value))
			}
		}
		if show.Len() > 0 {
			steps = append(steps, Step{Path: file, Action: Differs, Why: "has scripts of these names that do something else; to use the runbook's, write instead", Show: show.String()})
		}
	}
	if len(steps) == 0 {
		steps = append(steps, Step{Path: file, Action: Keep, Why: "has the scripts"})
	}
	return steps, nil
}

// sameBut tells whether after says what before says, and the added scripts.
func sameBut(before, after []byte, add []member) bool {
	var a, b map[string]any
	if json.Unmarshal(withoutBOM(before), &a) != nil || json.Unmarshal(withoutBOM(after), &b) != nil {
		return false
	}
	scripts, ok := b["scripts"].(map[string]any)
	if !ok {
		return false
	}
	for _, m := range add {
		if scripts[m.key] != m.value {
			return false
		}
		delete(scripts, m.key)
	}
	if _, had := a["scripts"]; !had && len(scripts) == 0 {
		delete(b, "scripts")
	}
	return reflect.DeepEqual(a, b)
}

// envSteps puts the limit behind DATABASE_URL in the files that set it, and
// an example where there is none. No .env is made up: a wrong login would only
// hide that one is missing.
func (p Project) envSteps(cfg *settings.Config) ([]Step, error) {
	var steps []Step
	for _, file := range []string{".env.local", ".env", ".env.example"} {
		text, err := readFile(p.path(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, unreadable(file, err)
		}
		steps = append(steps, p.envStep(file, text, cfg.Form())...)
	}
	if origin := cfg.Origin(settings.DatabaseURL); origin.Variable != "" && origin.File == "" {
		var setting *settings.SettingError
		if _, err := cfg.Database(); errors.As(err, &setting) {
			steps = append(steps, Step{Path: ".env", Action: Differs, Why: "DATABASE_URL is set in the environment and " + setting.Problem, Show: setting.Write + "\n"})
		}
	}
	if !p.exists(".env.example") {
		text, err := templateFiles.ReadFile("templates/env.example")
		if err != nil {
			return nil, err
		}
		text = bytes.Replace(text, []byte(exampleURL), []byte(settings.ExampleLine(cfg.Form())), 1)
		steps = append(steps, p.file(".env.example", text, "explains every setting; DATABASE_URL with its limit", ""))
	}
	return steps, nil
}

// exampleURL is the line of the template whose limit is in the form of Prisma
// and node-postgres.
const exampleURL = `DATABASE_URL="postgresql://app:secret@localhost:5432/shop?connection_limit=5&pool_timeout=10"`

func (p Project) envStep(file string, text []byte, form jsproject.Form) []Step {
	a, err := settings.AddLimit(file, text, form)
	var setting *settings.SettingError
	switch {
	case errors.As(err, &setting):
		return []Step{{Path: file, Action: Differs, Why: setting.Variable + " " + setting.Problem, Show: lineOrNothing(setting.Write)}}
	case err != nil:
		return []Step{{Path: file, Action: Differs, Why: fmt.Sprintf("line %d: DATABASE_URL carries no pool limit; write instead", a.Line), Show: a.Write + "\n"}}
	case a.Text != nil:
		show := fmt.Sprintf("line %d, nothing else:\n-%s\n+%s\n", a.Line, a.Was, a.Write)
		return []Step{{Path: file, Action: Merge, Why: "DATABASE_URL gets a pool limit", Show: show, before: text, after: a.Text}}
	case a.Found:
		return []Step{{Path: file, Action: Keep, Why: "DATABASE_URL carries a pool limit"}}
	case file == ".env.example":
		after := appendLines(text, "# the limit in the URL is required: the size of the pool", settings.ExampleLine(form))
		return []Step{merged(file, "DATABASE_URL with its limit", text, after)}
	}
	return nil // a .env without the URL is no fault: another place may have it
}

func lineOrNothing(line string) string {
	if line == "" {
		return ""
	}
	return line + "\n"
}

// ignoreSteps keeps passwords and the compiled runbook out of git.
func (p Project) ignoreSteps() ([]Step, error) {
	const file = ".gitignore"
	wanted := []string{".env", "/bin/dbtasks"}
	text, err := readFile(p.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return []Step{p.file(file, []byte("node_modules\n"+strings.Join(wanted, "\n")+"\n"), "keeps passwords out of git", "")}, nil
	}
	if err != nil {
		return nil, unreadable(file, err)
	}
	var add []string
	for _, name := range wanted {
		if !ignores(string(text), strings.TrimPrefix(name, "/")) {
			add = append(add, name)
		}
	}
	if len(add) == 0 && !ignores(string(text), ".env.example") {
		return []Step{{Path: file, Action: Keep, Why: "keeps .env and /bin/dbtasks out of git"}}, nil
	}
	why := "keeps " + strings.Join(add, " and ") + " out of git"
	if ignores(string(text), ".env.example") {
		add = append(add, "!.env.example")
		why = "keeps .env and /bin/dbtasks out of git, and .env.example in"
	}
	return []Step{merged(file, why, text, appendLines(text, add...))}, nil
}

// ignores tells whether the last pattern that matches a path ignores it:
// patterns of the path itself, of its name and of its folder.
func ignores(text, file string) bool {
	ignored := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		pattern, negated := strings.CutPrefix(line, "!")
		if line == "" || line[0] == '#' {
			continue
		}
		pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "**/"), "/")
		names := []string{file}
		if folder := path.Dir(file); folder != "." {
			names = append(names, folder)
		}
		if !strings.Contains(strings.TrimSuffix(pattern, "/"), "/") && !strings.HasSuffix(pattern, "/") {
			names = append(names, path.Base(file))
		}
		for _, name := range names {
			if strings.HasSuffix(pattern, "/") && name == file {
				continue // a pattern of folders
			}
			if ok, err := path.Match(strings.TrimSuffix(pattern, "/"), name); err == nil && ok {
				ignored = !negated
			}
		}
	}
	return ignored
}

// appendLines adds lines at the end of a text in its own line ends.
func appendLines(text []byte, lines ...string) []byte {
	end := lineEnd(string(text))
	after := bytes.Clone(text)
	if len(after) > 0 && !bytes.HasSuffix(after, []byte("\n")) {
		after = append(after, end...)
	}
	if len(after) > 0 {
		after = append(after, end...)
	}
	for _, line := range lines {
		after = append(append(after, line...), end...)
	}
	return after
}
