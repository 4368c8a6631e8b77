package checklist

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// defaultUsable is what PostgreSQL gives to ordinary roles when nobody changed
// it: max_connections 100 less superuser_reserved_connections 3.
const defaultUsable = 97

// tests: they close the client, or there are slots for every worker's pool.
func (c *check) tests(i *Item) {
	if c.noClient(i) {
		return
	}
	users := c.code.TestsOf(c.home.Module)
	if len(users) == 0 {
		i.Summary = "no test reaches the client"
		return
	}
	c.workers = c.testWorkers()
	number, words := c.workers.count*c.home.Limit.Number, ""
	if number > 0 {
		words = fmt.Sprintf("%s x %d connections = %d", c.workers, c.home.Limit.Number, number)
	} else {
		words = c.workers.String() + ", each with a pool"
	}
	open := c.code.OpenTests(users, c.setupFiles())
	if len(open) == 0 {
		i.Summary = "the tests close the client; " + words
		return
	}
	problem := fmt.Sprintf("the client is not closed after the tests (%s); %s", countOf(len(open), "file"), words)
	const why = "Each worker of the test runner has a pool of its own and keeps it to the end of its process."
	write := fmt.Sprintf("afterAll(() => %s);", closeCall(c.home, c.exportedClient()))
	switch {
	case number > 0 && c.Usable > number:
		i.Summary = fmt.Sprintf("not closed, but %s fit the %d slots of the server", words, c.Usable)
	case number > 0 && c.Usable == 0 && number < defaultUsable:
		i.Findings = append(i.Findings, Finding{CantTell, open[0].Path(), 1, problem + ": whether the server has the slots could not be asked", why, write})
	default:
		i.wrong(open[0].Path(), 1, problem, why, write)
	}
}

func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// testConfigs are the settings of the project's test runner.
func (c *check) testConfigs() (list []*jscode.Config) {
	for _, stem := range []string{"vitest.config", "vite.config", "jest.config"} {
		if t := c.code.Config(c.homeDir(), stem); t != nil {
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
			found, _ := c.code.Strings(t.At(keys...))
			specs = append(specs, found...)
		}
	}
	if pkg := c.packages.at(""); pkg != nil {
		list, _ := pkg.Value("jest", "setupFilesAfterEnv").([]any)
		for _, one := range list {
			if spec, ok := one.(string); ok {
				specs = append(specs, spec)
			}
		}
	}
	var files []string
	for _, spec := range specs {
		spec = strings.TrimPrefix(strings.Replace(spec, "<rootDir>/", "./", 1), "/")
		if !strings.HasPrefix(spec, ".") {
			spec = "./" + spec
		}
		if file := c.code.Find(path.Join(c.homeDir(), "package.json"), spec); file != "" {
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
	_, jest := c.packages.depends(c.home.Module.Path(), "jest")
	if _, vitest := c.packages.depends(c.home.Module.Path(), "vitest"); jest && !vitest {
		w = workers{"jest", max(1, c.Cores-1)}
	}
	for _, t := range c.testConfigs() {
		c.configWorkers(t, &w)
	}
	if pkg := c.packages.at(""); jest && pkg != nil {
		switch most := pkg.Value("jest", "maxWorkers").(type) {
		case float64:
			w.count = max(1, int(most))
		case string:
			w.text(most, c.Cores)
		}
	}
	for _, s := range c.scripts {
		for _, words := range commands(s.file) {
			if slices.Contains(words, w.runner) {
				w.flags(words, c.Cores)
			}
		}
	}
	return w
}

func (c *check) configWorkers(t *jscode.Config, w *workers) {
	for _, keys := range [][]string{{"maxWorkers"}, {"test", "maxWorkers"}, {"test", "poolOptions", "forks", "maxForks"}, {"test", "poolOptions", "threads", "maxThreads"}} {
		for _, l := range c.code.Literals(t.At(keys...)) { // 4, and "50%"
			if l.IsNumber && l.Number >= 1 {
				w.count = int(l.Number)
			} else if l.IsText {
				w.text(l.Text, c.Cores)
			}
		}
	}
	for _, keys := range [][]string{{"test", "poolOptions", "forks", "singleFork"}, {"test", "poolOptions", "threads", "singleThread"}} {
		for _, l := range c.code.Literals(t.At(keys...)) {
			if l.Is {
				w.count = 1
			}
		}
	}
	if c.code.IsFalse(t.At("test", "fileParallelism")) {
		w.count = 1
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
