package checklist

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja/ast"
)

// defaultUsable is what PostgreSQL gives to ordinary roles when nobody changed
// it: max_connections 100 less superuser_reserved_connections 3.
const defaultUsable = 97

// tests: they close the client, or there are slots for every worker's pool.
func (c *check) tests(i *Item) {
	if c.noClient(i) {
		return
	}
	users := c.testsOfClient()
	if len(users) == 0 {
		i.Summary = "no test reaches the client"
		return
	}
	c.workers = c.testWorkers()
	number, words := c.workers.count*c.home.limit.number, ""
	if number > 0 {
		words = fmt.Sprintf("%s x %d connections = %d", c.workers, c.home.limit.number, number)
	} else {
		words = c.workers.String() + ", each with a pool"
	}
	open := c.openTests(users)
	if len(open) == 0 {
		i.Summary = "the tests close the client; " + words
		return
	}
	problem := fmt.Sprintf("the client is not closed after the tests (%s); %s", countOf(len(open), "file"), words)
	const why = "Each worker of the test runner has a pool of its own and keeps it to the end of its process."
	write := fmt.Sprintf("afterAll(() => %s);", closeCall(c.home.kind, c.exportedClient()))
	switch {
	case number > 0 && c.Usable > number:
		i.Summary = fmt.Sprintf("not closed, but %s fit the %d slots of the server", words, c.Usable)
	case number > 0 && c.Usable == 0 && number < defaultUsable:
		i.Findings = append(i.Findings, Finding{CantTell, open[0].path, 1, problem + ": whether the server has the slots could not be asked", why, write})
	default:
		i.wrong(open[0].path, 1, problem, why, write)
	}
}

func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// testsOfClient are the test files from which an import leads to the client.
func (c *check) testsOfClient() []*module {
	var list []*module
	c.project.each(func(m *module) {
		if isTestFile(m.path) && c.reaches(m, func(to *module) bool { return to == c.home.module }) {
			list = append(list, m)
		}
	})
	return list
}

// isTestFile tells a file that the runner runs from one that only helps.
func isTestFile(file string) bool {
	return strings.Contains(file, ".test.") || strings.Contains(file, ".spec.") || strings.Contains(file, "__tests__/")
}

// reaches tells whether imports lead from m to a module that hit picks, m included.
func (c *check) reaches(m *module, hit func(*module) bool) bool {
	seen, todo := map[*module]bool{m: true}, []*module{m}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if hit(at) {
			return true
		}
		for _, i := range at.imports {
			if i.target != nil && !seen[i.target] {
				seen[i.target] = true
				todo = append(todo, i.target)
			}
		}
	}
	return false
}

// openTests are those of users after which nobody closes the client: neither
// they, nor what they import, nor a setup file.
func (c *check) openTests(users []*module) []*module {
	p := c.project
	handlers := p.handlers(func(p *project, s *site) bool {
		name := lastName(s.callee)
		return slices.Contains([]string{"afterAll", "afterEach", "after", "teardown", "onTestFinished"}, name)
	})
	closing := func(m *module) bool {
		return slices.ContainsFunc(m.sites, func(s *site) bool {
			name, of := memberOf(s.callee)
			return of != nil && (name == "$disconnect" || name == "end") && slices.ContainsFunc(s.stack, func(n ast.Node) bool { return handlers[n] }) &&
				slices.ContainsFunc(c.clients, func(made *client) bool { return p.makes(expr{of, s.scope}, made) })
		})
	}
	for _, setup := range c.setupFiles() {
		if m := p.modules[setup]; m != nil && c.reaches(m, closing) {
			return nil
		}
	}
	return slices.DeleteFunc(slices.Clone(users), func(m *module) bool { return c.reaches(m, closing) })
}

// lastName is the name by which a function is called: afterAll, vitest.afterAll.
func lastName(callee ast.Node) string {
	if seq, ok := callee.(*ast.SequenceExpression); ok && len(seq.Sequence) > 0 { // esbuild's (0, import_vitest.afterAll)
		callee = seq.Sequence[len(seq.Sequence)-1]
	}
	if id, ok := callee.(*ast.Identifier); ok {
		return id.Name.String()
	}
	name, _ := memberOf(callee)
	return name
}

// testConfigs are the settings of the project's test runner.
func (c *check) testConfigs() (list []*toolConfig) {
	for _, stem := range []string{"vitest.config", "vite.config", "jest.config"} {
		if t := c.project.config(stem); t != nil {
			list = append(list, t)
		}
	}
	return list
}

// setupFiles are the files that the runner evaluates in each worker.
func (c *check) setupFiles() []string {
	var specs []string
	for _, t := range c.testConfigs() {
		for _, keys := range [][]string{{"test", "setupFiles"}, {"setupFilesAfterEnv"}} {
			found, _ := c.project.list(t.at(keys...))
			specs = append(specs, found...)
		}
	}
	specs = append(specs, stringsIn(get(c.pkg.root, "jest", "setupFilesAfterEnv"))...)
	var files []string
	for _, spec := range specs {
		spec = strings.TrimPrefix(strings.Replace(spec, "<rootDir>/", "./", 1), "/")
		if !strings.HasPrefix(spec, ".") {
			spec = "./" + spec
		}
		if file, _ := c.project.resolve.find("package.json", spec); file != "" {
			files = append(files, file)
		}
	}
	return files
}

// workers is how many processes or threads of the test runner work at once.
type workers struct {
	runner string
	count  int
}

func (w workers) String() string { return countOf(w.count, "worker") + " of " + w.runner }

// testWorkers reads it from scripts and settings; the runner's default else.
func (c *check) testWorkers() workers {
	w := workers{"vitest", c.Cores}
	_, jest := c.pkg.depends("jest")
	if _, vitest := c.pkg.depends("vitest"); jest && !vitest {
		w = workers{"jest", max(1, c.Cores-1)}
	}
	for _, t := range c.testConfigs() {
		c.configWorkers(t, &w)
	}
	if jest {
		w.set(get(c.pkg.root, "jest", "maxWorkers"), c.Cores)
	}
	for _, s := range c.pkg.scripts {
		for _, words := range commands(s.file) {
			if slices.Contains(words, w.runner) {
				w.flags(words, c.Cores)
			}
		}
	}
	return w
}

func (c *check) configWorkers(t *toolConfig, w *workers) {
	for _, keys := range [][]string{{"maxWorkers"}, {"test", "maxWorkers"}, {"test", "poolOptions", "forks", "maxForks"}, {"test", "poolOptions", "threads", "maxThreads"}} {
		if e := t.at(keys...); e.node != nil {
			for _, v := range c.project.values(e) {
				w.set(v.node, c.Cores)
			}
		}
	}
	for _, keys := range [][]string{{"test", "poolOptions", "forks", "singleFork"}, {"test", "poolOptions", "threads", "singleThread"}} {
		if on, ok := boolean(t.at(keys...).node); ok && on {
			w.count = 1
		}
	}
	if on, ok := boolean(t.at("test", "fileParallelism").node); ok && !on {
		w.count = 1
	}
}

// set takes 4 and "50%".
func (w *workers) set(n ast.Node, cores int) {
	if v, ok := number(n); ok && v >= 1 {
		w.count = int(v)
	} else if s, ok := stringOf(n); ok {
		w.text(s, cores)
	}
}

func (w *workers) text(s string, cores int) {
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		if v, err := strconv.ParseFloat(percent, 64); err == nil {
			w.count = max(1, int(math.Floor(v/100*float64(cores))))
		}
	} else if v, err := strconv.Atoi(s); err == nil && v > 0 {
		w.count = v
	}
}

// flags of the command line win over the settings.
func (w *workers) flags(words []string, cores int) {
	for i, word := range words {
		name, value, joined := strings.Cut(word, "=")
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		switch name {
		case "--maxWorkers", "--max-workers", "-w", "--poolOptions.forks.maxForks", "--poolOptions.threads.maxThreads":
			w.text(value, cores)
		case "--runInBand", "-i", "--no-file-parallelism":
			w.count = 1
		case "--fileParallelism", "--file-parallelism":
			if value == "false" {
				w.count = 1
			}
		}
	}
}
