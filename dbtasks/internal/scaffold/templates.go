package scaffold

import (
	"embed"
	"strings"
	"sync"
	"text/template"
)

// env.example is this repository's .env.example, which lies where it can't be
// embedded from; a test keeps the two the same.
//
//go:embed templates/*.tmpl templates/env.example
var templateFiles embed.FS

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(templateFiles, "templates/*.tmpl"))
})

// clientData is what the templates of client modules read.
type clientData struct {
	TypeScript, Prisma, SvelteKit, Vite bool
	Name                                string // of the export
	Default                             bool   // it is the default export, too
	Env                                 string // the object that has DATABASE_URL
	Import                              string // of the generated client
	Close                               string // the call that closes the client
}

// setupData is what the template of Vitest's setup file reads.
type setupData struct{ Name, Binding, Import, Close string }

// rendered is a template's text, which is indented with tabs.
func rendered(name string, data any) []byte {
	var b strings.Builder
	if err := templates().ExecuteTemplate(&b, name+".tmpl", data); err != nil {
		panic(err) // the templates are part of this program
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// javascript is a template's text indented as projects of this kind are: with
// tabs (SvelteKit's own scaffold) or two blanks (Vite's and Next's).
func (p Project) javascript(name string, data any) []byte {
	return []byte(strings.ReplaceAll(string(rendered(name, data)), "\t", p.indent()))
}

func (p Project) indent() string {
	if p.Kind == SvelteKit {
		return "\t"
	}
	return "  "
}
