package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// suggestedLimit is the pool limit that errors propose.
const suggestedLimit = 5

// limit reads one form of the pool limit; of several the smallest counts, and
// each may stand once.
func (q *query) limit(form jsproject.Form, value string) error {
	u := q.u
	if slices.Contains(u.forms, form) {
		return u.Origin.wrong(fmt.Sprintf("has %s twice", form), u.WithLimit(suggestedLimit))
	}
	u.forms = append(u.forms, form)
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > math.MaxInt32 {
		// The value may be the end of a password that was not encoded.
		return u.Origin.wrong(fmt.Sprintf("has a wrong pool limit: %s should be a whole number of connections from 1", form), u.WithLimit(suggestedLimit))
	}
	if u.Limit == 0 || n < u.Limit {
		u.Limit = n
	}
	return nil
}

// limitSetting is the limit as a setting of the session, within options; as a
// person writes it who knows libpq's: "-c x=5", "-cx=5", "--x=5".
var limitSetting = lazyregexp.New(`\s*(?:-c\s*|--)dbtasks\.pool_limit=(\S*)`)

// options reads the limit out of options and leaves the rest for the server: a
// pooler may refuse the setting, and no login of ours needs it.
func (q *query) options(value string) error {
	found := limitSetting().FindAllStringSubmatch(value, -1)
	q.u.Options = strings.TrimSpace(limitSetting().ReplaceAllString(value, ""))
	for _, m := range found {
		if err := q.limit(jsproject.Options, m[1]); err != nil {
			return err
		}
	}
	return nil
}

// Drivers are the PostgreSQL drivers that the project's package.json files and
// Go code name.
func (c *Config) Drivers() []jsproject.Driver {
	if c.drivers == nil {
		return nil
	}
	return c.drivers()
}

// findDrivers reads the project for them.
func (p place) findDrivers() []jsproject.Driver {
	var list []jsproject.Driver
	if p.tree != nil {
		list = p.tree.Drivers()
	}
	return append(list, jsproject.GoDrivers(p.dir)...)
}

// Form is the way of writing the pool limit into the URL that every driver of
// this project takes.
func (c *Config) Form() jsproject.Form { return jsproject.BestForm(jsproject.Running(c.Drivers())) }

// checkLimit refuses a URL without a limit, and one whose limit stands in a
// form with which the project's own driver can't log in.
func (c *Config) checkLimit(u *URL) error {
	if err := c.checkForms(u); err != nil {
		return err
	}
	return c.missingLimit(u)
}

// checkForms refuses a limit in a form with which the project's own driver
// can't log in.
func (c *Config) checkForms(u *URL) error {
	for _, form := range u.forms {
		for _, d := range jsproject.Refusing(jsproject.Running(c.Drivers()), form) {
			write := u.WithLimit(u.Limit)
			return u.Origin.wrong(fmt.Sprintf("has %s, and %s can't log in with it: it sends what it does not know to the server as a setting", form, d.Name), write)
		}
	}
	return nil
}

// missingLimit is the error of a URL that carries no pool limit.
func (c *Config) missingLimit(u *URL) error {
	for _, d := range jsproject.Running(c.Drivers()) {
		if d.Takes(jsproject.Options) == jsproject.Refuses && u.Limit == 0 {
			u.Limit = 1 // of this tool; the app's stands in its code
			u.Notes = append(u.Notes, fmt.Sprintf("%s takes no pool limit in the URL: it stands in the code (PoolSize)", d.Name))
		}
	}
	if u.Limit > 0 {
		if len(u.forms) > 0 && !slices.Contains(u.forms, u.form) {
			u.form = u.forms[0] // it works: advice keeps it
		}
		return nil
	}
	return u.Origin.wrong("carries no pool limit: without one every reload may open as many connections as the driver likes", u.WithLimit(suggestedLimit))
}

// TooHigh is the error of a pool limit above usable, the number of sessions
// that the server can give to this role.
func (u *URL) TooHigh(usable int) *SettingError {
	return u.Origin.wrong(fmt.Sprintf("has the pool limit %d, and the server can give this role %d at most", u.Limit, usable),
		u.WithLimit(max(1, min(suggestedLimit, usable))))
}

// WithLimit is the line to write: the variable with the URL as the user wrote
// it, secrets masked, and the limit n in place of any other, in the form that
// the project's driver takes.
func (u *URL) WithLimit(n int) string {
	name, value := limitPair(u.form, n)
	drop := []string{string(jsproject.ConnectionLimit), string(jsproject.PoolMaxConns)}
	if u.form == jsproject.Options || slices.Contains(u.forms, jsproject.Options) {
		drop = append(drop, name, "options")
		if kept := u.Options; kept != "" {
			if u.form != jsproject.Options {
				return u.line(name, value+"&options="+encode(kept), drop...)
			}
			value = encode(kept) + "%20" + value
		}
	}
	return u.line(name, value, drop...)
}

// limitPair is a limit as a parameter of the URL.
func limitPair(form jsproject.Form, n int) (name, value string) {
	if form == jsproject.ConnectionLimit || form == jsproject.PoolMaxConns {
		return string(form), strconv.Itoa(n)
	}
	return "options", fmt.Sprintf("-c%%20dbtasks.pool_limit%%3D%d", n)
}

// limitText is limitPair as it stands in the URL: "connection_limit=5".
func limitText(form jsproject.Form, n int) string {
	name, value := limitPair(form, n)
	return name + "=" + value
}
