package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// references are the places of a .env file that refer to other variables:
// $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}.
//
// godotenv expands them from what stands above them in the same file only, and
// to nothing where that has no such variable. Node's dotenv-expand, which the
// app's own tools use (Vite, Next.js), finds them in the real environment first
// and then in every file. So that this tool never goes to another server than
// the app, each reference is given to godotenv as a variable whose value is a
// mark, and the mark is replaced when the value is asked for. What godotenv
// does not expand (between single quotes, after a backslash) stays as it was
// written.
//
// The rule: environment, .env.local, .env; a variable that refers to itself
// means the one of the next place; one that is set nowhere stays as it was
// written, which keeps a $ in a password (dotenv alone does the same).
type references []reference

type reference struct {
	written, name, fallback string
	hasFallback             bool
}

// Marks are made of characters that no text has.
const (
	markStart = "\x01"
	markEnd   = "\x02"
	alias     = "DBTASKS_REFERENCE_"
)

var (
	// The last alternative is no reference, but godotenv would take it for one.
	referenceForm = lazyregexp.New(`\$\{(\w+)(?:(:?-)([^{}$\n]*))?\}|\$(\w+)|\$[({]*\w+`)
	aliasForm     = lazyregexp.New(`\$\{` + alias + `(\d+)\}`)
	markForm      = lazyregexp.New(markStart + `(\d+)` + markEnd)
)

// replace puts an alias in place of each reference.
func (r *references) replace(text string) string {
	return referenceForm().ReplaceAllStringFunc(text, func(written string) string {
		m := referenceForm().FindStringSubmatch(written)
		*r = append(*r, reference{written: written, name: m[1] + m[4], fallback: m[3], hasFallback: m[2] != ""})
		return fmt.Sprintf("${%s%d}", alias, len(*r)-1)
	})
}

// assignments are lines of .env that give each alias its mark.
func (r references) assignments() string {
	var b strings.Builder
	for i := range r {
		fmt.Fprintf(&b, "%s%d='%s%d%s'\n", alias, i, markStart, i, markEnd)
	}
	return b.String()
}

// restore undoes replace where godotenv did not expand.
func (r references) restore(value string) string {
	return aliasForm().ReplaceAllStringFunc(value, func(a string) string {
		return r.at(aliasForm().FindStringSubmatch(a)[1]).written
	})
}

// expand replaces the marks; lookup tells a variable's value, "" for not set.
func (r references) expand(value string, lookup func(name string) string) string {
	return markForm().ReplaceAllStringFunc(value, func(mark string) string {
		ref := r.at(markForm().FindStringSubmatch(mark)[1])
		if found := lookup(ref.name); found != "" {
			return found
		}
		if ref.hasFallback {
			return ref.fallback
		}
		return ref.written
	})
}

func (r references) at(number string) reference {
	if i, err := strconv.Atoi(number); err == nil && i < len(r) {
		return r[i]
	}
	return reference{}
}
