package settings

import (
	"path/filepath"
	"slices"
	"strings"
)

// Assignment is one variable of a .env file. Its value may be a secret.
type Assignment struct {
	Name  string
	Value string // references to other variables are not expanded
	Line  int
}

// Assignments are the variables that one file of root sets, in the order of
// their lines; none for a file that is not there. The error is a *SettingError.
func Assignments(root, name string) ([]Assignment, error) {
	file, err := readDotenv(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	var list []Assignment
	for name, value := range file.values {
		if line, ok := file.lines[name]; ok {
			list = append(list, Assignment{name, file.refs.expand(value, func(string) string { return "" }), line})
		}
	}
	slices.SortFunc(list, func(a, b Assignment) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list, nil
}

// With is the line to write with a parameter, as WithLimit.
func (u *URL) With(parameter, value string) string { return u.line(parameter, value, parameter) }
