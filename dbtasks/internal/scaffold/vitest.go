package scaffold

import (
	"strings"
)

// vitestConfig is Vitest's own configuration, which it reads instead of Vite's.
func (p Project) vitestConfig() string {
	return p.first("vitest.config.ts", "vitest.config.js", "vitest.config.mts", "vitest.config.mjs")
}

// vitestSetup is the setup file, there or to be written.
func (p Project) vitestSetup() string {
	if file := p.first("vitest.setup.ts", "vitest.setup.js", "vitest-setup.ts", "vitest-setup.js"); file != "" {
		return file
	}
	return "vitest.setup" + p.extension()
}

func (p Project) vitestSetting() setting {
	return setting{"test", "test: { setupFiles: ['./" + p.vitestSetup() + "'] }", [][]string{{"test", "setupFiles"}}}
}

// vitestSteps writes the setup file that closes the client, and names it in
// Vitest's configuration where that is not Vite's.
func (p Project) vitestSteps() ([]Step, error) {
	if !p.Vitest || p.clientHome() == "" { // another driver's client is closed in its own way
		return nil, nil
	}
	module, file := p.clientHome(), p.vitestSetup()
	binding := p.binding(module)
	data := setupData{Name: strings.Trim(binding, "{ }"), Binding: binding, Import: importPath(file, module), Close: "end"}
	if p.Driver == Prisma {
		data.Close = "$disconnect"
	}
	text := p.javascript("vitest", data)
	setup := p.file(file, text, "closes the client after each test file", string(text))
	if setup.Action == Differs && p.code.Calls(file, data.Close) {
		setup = Step{Path: file, Action: Keep, Why: "closes a client"}
	}
	settings := []setting{p.vitestSetting()}
	switch config := p.vitestConfig(); {
	case config != "":
		more, err := p.configSteps(config, settings, "Vitest reads the setup file")
		return append([]Step{setup}, more...), err
	case p.Kind == Next:
		return []Step{setup, p.file("vitest.config"+p.extension(), p.newConfig("vitest/config", settings), "Vitest reads the setup file", "")}, nil
	}
	return []Step{setup}, nil
}
