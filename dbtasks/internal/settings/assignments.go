package settings

import "path/filepath"

// Assignment is one variable of a .env file. Its value may be a secret.
type Assignment struct {
	Name  string
	Value string // references to other variables are not expanded
	Line  int
}

// Assignments are the variables that one file of root sets, in the order of
// their lines, in dotenv's grammar; none for a file that is not there. The
// error is a *SettingError, or a *plainfile.TrustError.
func Assignments(root, name string) ([]Assignment, error) {
	file, err := readEnv(filepath.Join(root, name), dotenvGrammar)
	if err != nil {
		return nil, err
	}
	if file.problem != nil {
		return nil, file.problem
	}
	var list []Assignment
	for _, a := range file.list {
		list = append(list, Assignment{a.name, a.value, a.line})
	}
	return list, nil
}

// With is the line to write with a parameter, as WithLimit.
func (u *URL) With(parameter, value string) string { return u.line(parameter, value, parameter) }
