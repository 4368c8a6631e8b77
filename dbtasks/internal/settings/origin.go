package settings

import (
	"fmt"
	"path/filepath"
)

// Origin is where a value came from.
type Origin struct {
	Variable string
	File     string // absolute; empty: the real environment
	Line     int    // counted from 1; 0: the environment
	Code     bool   // a default that the importing program has set, see Defaults
}

// String is the origin for people, in parentheses behind a database's name:
// "DATABASE_URL of .env.development.local, line 2"; the file as a path from the
// working directory where that is shorter.
func (o Origin) String() string {
	switch {
	case o.Variable == "":
		return "not set"
	case o.Code:
		return o.Variable + ", as the magefile sets it"
	case o.File == "":
		return o.Variable + " of the environment"
	case o.Line == 0:
		return fmt.Sprintf("%s of %s", o.Variable, short(o.File))
	}
	return fmt.Sprintf("%s of %s, line %d", o.Variable, short(o.File), o.Line)
}

// short is a path from the working directory where that is the shorter one.
func short(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if rel := relativeTo(here, path); len(rel) < len(path) {
		return rel
	}
	return path
}

// wrong is the error of a variable that came from here.
func (o Origin) wrong(problem, write string) *SettingError {
	return &SettingError{Variable: o.Variable, File: o.File, Line: o.Line, Problem: problem, Write: write}
}
