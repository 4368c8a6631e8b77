package checklist

import (
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"mvdan.cc/sh/v3/syntax"
)

// npmScript is one script of package.json, its shell line parsed.
type npmScript struct {
	name, text string
	line       int
	file       *syntax.File // nil: it can't be parsed
}

func npmScripts(p *jsproject.Package) []npmScript {
	if p == nil {
		return nil
	}
	var list []npmScript
	for _, name := range p.ScriptNames() {
		text := p.Scripts[name]
		list = append(list, npmScript{name, text, p.Line("scripts", name), parseShell(text)})
	}
	return list
}
