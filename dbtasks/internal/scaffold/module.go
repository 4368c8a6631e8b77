package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/scripts"
)

const modulePath = "github.com/pgrunbook/pgrunbook"

var (
	mageTag     = lazyregexp.New(`(?m)^//(?:go:build|\s*\+build)\s+mage\s*$`)
	moduleLine  = lazyregexp.New(`(?m)^module .*$`)
	replaceLine = lazyregexp.New(`(?m)^\s*(?:replace\s+)?` + regexp.QuoteMeta(modulePath) + `(?:\s+v\S+)?\s+=>\s+(.+?)\s*$`)
)

// FindSource is the folder of this program's module: configured, else the one
// that the program lies in (bin/dbtasks of a clone), else the one that it was
// compiled from, where that is still there (it is not said in a program built
// with -trimpath). The error is a *ProjectError.
func FindSource(configured, executable string) (string, error) {
	if configured != "" {
		abs, err := filepath.Abs(configured)
		if err == nil && isSource(abs) {
			return abs, nil
		}
		return "", &ProjectError{ErrSource, fmt.Sprintf("DBTASKS_SOURCE is %q, which is no clone of %s; nothing was touched.", configured, modulePath), "DBTASKS_SOURCE=/path/to/your/clone"}
	}
	_, compiledFrom, _, _ := runtime.Caller(0)
	for _, file := range []string{executable, compiledFrom} {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			file = real
		}
		for dir := filepath.Dir(file); filepath.IsAbs(dir) && filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
			if isSource(dir) {
				return dir, nil
			}
		}
	}
	return "", &ProjectError{ErrSource, "The folder of dbtasks can't be told: the module is not published yet, so magefiles/go.mod has to name your clone of it; nothing was touched.",
		"DBTASKS_SOURCE=/path/to/your/clone in the environment"}
}

func isSource(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && moduleLine().FindString(strings.ReplaceAll(string(text), "\r", "")) == "module "+modulePath
}

// moduleDir is the folder of the runbook's module: the project's root, where
// "mage" and "go tool mage" look for it, or magefiles/ where a module is there.
// It is "" or ends in a slash.
func (p Project) moduleDir() string {
	if p.exists("magefiles/go.mod") {
		return magefiles
	}
	return ""
}

const magefiles = "magefiles/"

// moduleSteps puts the runbook's magefile into a module. Its requirements are
// this module's, so that nothing has to be resolved.
func (p Project) moduleSteps(o Options) ([]Step, error) {
	if o.Package {
		return nil, nil
	}
	if have := p.ownModule(); have != "" {
		return []Step{{Path: have, Action: Keep, Why: "imports dbtasks already"}}, nil
	}
	magefile := p.magefileStep()
	dir := p.moduleDir()
	if have, err := readFile(p.path(dir + "go.mod")); err == nil && strings.Contains(string(have), modulePath) {
		sum := Step{Path: dir + "go.sum", Action: Keep, Why: "belongs to the go.mod that is there"}
		if !p.exists(sum.Path) {
			if sum, err = p.sumStep(o); err != nil {
				return nil, err
			}
		}
		return []Step{magefile, p.moduleThere(have, o), sum}, nil
	}
	source, err := o.Source()
	if err != nil {
		return nil, err
	}
	if dir == "" && p.exists("go.mod") {
		return []Step{magefile, {Path: "go.mod", Action: Differs, Why: "is your own module; \"mage\" and \"go tool mage\" find the runbook after these commands", Show: requireCommands(source)}}, nil
	}
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("read what dbtasks needs: %w", err)
	}
	text := moduleLine().ReplaceAll(bytes.ReplaceAll(gomod, []byte("\r"), nil), []byte("module runbook"))
	text = fmt.Appendf(text, "\nrequire %s v0.0.0\n\n// Not published yet: a clone on this machine.\nreplace %s => %s\n", modulePath, modulePath, modFileQuote(source))
	text = append(text, "\nignore ./node_modules\n"...) // packages there may have Go files
	mod := p.file(dir+"go.mod", text, "the runbook's module; not published yet, so it names its folder on this machine: "+source,
		fmt.Sprintf("tool github.com/magefile/mage\nrequire %s v0.0.0\nreplace %s => %s\n", modulePath, modulePath, modFileQuote(source)))
	sum, err := p.sumStep(o)
	return []Step{magefile, mod, sum}, err
}

// requireCommands add the runbook to a module of the user's own. Go does that,
// because it may raise the versions of what the module asks for already.
func requireCommands(source string) string {
	return "go mod edit -replace " + plain.Word(modulePath+"="+source) + "\ngo get -tool github.com/magefile/mage\ngo mod tidy\n"
}

// magefileStep is the runbook's magefile. Mage reads the folder magefiles/ alone
// where it is there, so a magefile in the root gets the import instead.
func (p Project) magefileStep() Step {
	const file, add = "magefiles/magefile.go", "import (\n\t//mage:import\n\t_ \"" + modulePath + "/dbtasks\"\n)\n"
	if own := p.rootMagefile(); own != "" && !p.exists("magefiles") {
		return Step{Path: own, Action: Differs, Why: "is a magefile of your own; add to it", Show: add}
	}
	return p.file(file, rendered("magefile", nil), "imports dbtasks: every target comes of it", add)
}

// rootMagefile is a file of Mage's in the root; "" for none.
func (p Project) rootMagefile() string {
	files, _ := filepath.Glob(p.path("*.go")) // the pattern is right
	for _, file := range files {
		if text, err := readFile(file); err == nil && mageTag().Match(text) {
			return filepath.Base(file)
		}
	}
	return ""
}

// sumStep is the go.sum that belongs to this module's requirements.
func (p Project) sumStep(o Options) (Step, error) {
	source, err := o.Source()
	if err != nil {
		return Step{}, err
	}
	gosum, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return Step{}, fmt.Errorf("read the checksums of what dbtasks needs: %w", err)
	}
	return p.file(p.moduleDir()+"go.sum", gosum, "the checksums of what it needs", "what go mod tidy adds\n"), nil
}

// moduleThere is the step of a go.mod that names dbtasks: the clone
// that it names may be another developer's.
func (p Project) moduleThere(have []byte, o Options) Step {
	s := Step{Path: p.moduleDir() + "go.mod", Action: Keep, Why: "names dbtasks already"}
	m := replaceLine().FindSubmatch(have)
	if m == nil {
		return s
	}
	named := strings.Trim(string(m[1]), "`\"")
	dir := named
	if !filepath.IsAbs(dir) {
		dir = p.path(p.moduleDir() + named)
	}
	if isSource(dir) {
		return s
	}
	source, err := o.Source()
	if err != nil {
		source = "/path/to/your/clone"
	}
	s.Action, s.Why = Differs, "names a clone that is not on this machine, "+named+"; write instead"
	s.Show = fmt.Sprintf("replace %s => %s\n", modulePath, modFileQuote(source))
	return s
}

// ownModule is a magefile of the user's own that imports dbtasks; "" for none
// but the one that dev:init writes.
func (p Project) ownModule() string {
	files, _ := filepath.Glob(p.path("magefiles/*.go")) // the pattern is right
	more, _ := filepath.Glob(p.path("*.go"))
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), `"`+modulePath+`/dbtasks"`) && !bytes.Equal(text, rendered("magefile", nil)) {
			rel, _ := filepath.Rel(p.Root, file) // both come from one pattern
			return slash(rel)
		}
	}
	return ""
}

// modFileQuote writes a path as go.mod has it.
func modFileQuote(path string) string {
	if strings.ContainsAny(path, " \t\"'`()[]{},;") {
		return "`" + path + "`"
	}
	return path
}

// scriptSteps are the wrappers, as they stand in this repository.
func (p Project) scriptSteps(o Options) ([]Step, error) {
	if o.Package {
		return nil, nil
	}
	names, err := fs.Glob(scripts.Files, "*.sh")
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, name := range names {
		text, err := scripts.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s := p.file("scripts/"+name, text, wrapperWhy[name], "")
		s.mode = 0o755
		steps = append(steps, s)
	}
	return steps, nil
}

var wrapperWhy = map[string]string{
	"run-target.sh":             "runs a target; takes --flags as npm scripts write them",
	"cleanup-db-connections.sh": "db:cleanup",
	"monitor-connections.sh":    "db:monitor",
	"recover.sh":                "dev:recover",
}

func sameSize(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && x.Size() == y.Size()
}

// programSteps copy the compiled runbook, so that the wrappers need no Go. It
// comes last: the wrappers take it only when it is newer than its sources.
func (p Project) programSteps(o Options) []Step {
	if o.Program == "" || o.Package {
		return nil
	}
	s := Step{Path: "bin/dbtasks", Action: Create, Why: "this program: the wrappers need no Go then", from: o.Program, mode: 0o755}
	if runtime.GOOS == "windows" {
		s.Path += ".exe"
	}
	if p.exists(s.Path) {
		s.Action, s.Why = Keep, "as it should be"
		if !sameSize(p.path(s.Path), o.Program) {
			s.Why = "is another build than this program; remove it to have this one there"
		}
	}
	return []Step{s}
}
