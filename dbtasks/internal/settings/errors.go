package settings

import (
	"fmt"
	"strings"
)

// SettingError is a setting that is missing or wrong: exit code 2, and nothing
// was touched. It never carries a password.
type SettingError struct {
	Variable string // DATABASE_URL; empty when a whole file can't be read
	File     string // where the value came from, or belongs; empty: the environment
	Line     int    // 0: not known, or not there yet
	Problem  string // what is wrong, as a clause: "carries no pool limit"
	Write    string // the very line to write instead, secrets masked; empty: none
	Next     string // a command that mends it, where no line does
}

func (e *SettingError) Error() string {
	var b strings.Builder
	b.WriteString(e.Variable)
	switch {
	case e.File == "" && e.Variable != "":
		b.WriteString(" (in the environment)")
	case e.File == "":
	case e.Variable == "":
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ", line %d,", e.Line)
		}
	case e.Line > 0:
		fmt.Fprintf(&b, " (%s, line %d)", e.File, e.Line)
	default:
		fmt.Fprintf(&b, " (%s)", e.File)
	}
	b.WriteString(" " + e.Problem)
	if e.Write != "" {
		b.WriteString("; write instead: " + e.Write)
	}
	return b.String()
}
