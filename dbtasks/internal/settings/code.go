package settings

import "strconv"

// Defaults are settings in code: what a magefile or a program sets for its
// project. Each holds where neither the environment nor a file of the project
// sets the variable, before this tool's own default.
type Defaults struct {
	URLVariable string // the variable that holds the database's URL; empty: DATABASE_URL
	DevCommand  string // as DBTASKS_DEV_COMMAND; empty: found out
	TestCommand string // as DBTASKS_TEST_COMMAND; empty: found out
	Ports       string // as DBTASKS_PORTS, "3000-3015,5173"; empty: 3000-3015
	Warn        int    // as DBTASKS_WARN, in sessions; 0: the default, 10
}

// value is the default of a variable; empty: there is none.
func (d Defaults) value(name string) string {
	switch name {
	case DevCommand:
		return d.DevCommand
	case TestCommand:
		return d.TestCommand
	case PortsVar:
		return d.Ports
	case WarnVar:
		if d.Warn != 0 {
			return strconv.Itoa(d.Warn)
		}
	}
	return ""
}

// URLVariable is the name of the variable that holds the database's URL:
// DATABASE_URL, unless the importing program reads another.
func (c *Config) URLVariable() string {
	if c.code.URLVariable != "" {
		return c.code.URLVariable
	}
	return DatabaseURL
}
