package cli

import (
	"fmt"
	"strings"
)

// Man is the manual page of a program with these targets, in the language of
// man(7).
func Man(program, version string) string {
	escape := func(s string) string {
		s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
		lines := strings.Split(s, "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				lines[i] = `\&` + line
			}
		}
		return strings.Join(lines, "\n")
	}
	var b strings.Builder
	fmt.Fprintf(&b, `.TH %s 1 "" "%s %s" "Emergency runbook for PostgreSQL connections"
.SH NAME
%s \- emergency runbook for PostgreSQL connections in development
.SH SYNOPSIS
.B %s
.I target
.RB [ \-name = value " ...]"
.SH DESCRIPTION
For the moment when PostgreSQL answers "FATAL: sorry, too many clients already", and for the days before it.
A bare target is harmless to anything that is in use; harm is opted into with a flag.
.SH TARGETS
`, strings.ToUpper(program), program, version, program, program)
	for _, t := range Targets {
		fmt.Fprintf(&b, ".SS %s\n%s\n", t.Name, escape(t.Help))
		for _, f := range t.Flags {
			value := ""
			if f.Type != "bool" {
				value = `=\fI` + strings.TrimPrefix(strings.ToLower(f.Type), "time.") + `\fR`
			}
			fmt.Fprintf(&b, ".TP\n\\fB\\-%s\\fR%s\n%s\n", strings.ToLower(f.Name), value, escape(f.Help))
		}
	}
	b.WriteString(`.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
not done, or not wholly done: what is missing is said
.TP
.B 2
the call or the settings are wrong; nothing was touched
.TP
.B 3
refused for safety; nothing was touched
.SH ENVIRONMENT
.TP
.B DATABASE_URL
the database, with a pool limit; read from the project's .env files, too
`)
	return b.String()
}
