package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// suggestedLimit is the pool limit that errors propose.
const suggestedLimit = 5

// limit reads connection_limit and pool_max_conns; of the two the smaller
// counts, and each may stand once.
func (q *query) limit(name, value string) error {
	u := q.u
	if slices.Contains(q.limits, name) {
		return u.Origin.wrong(fmt.Sprintf("has %s twice", name), u.WithLimit(suggestedLimit))
	}
	q.limits = append(q.limits, name)
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > math.MaxInt32 {
		// The value may be the end of a password that was not encoded.
		return u.Origin.wrong(fmt.Sprintf("has a wrong pool limit: %s should be a whole number of connections from 1", name), u.WithLimit(suggestedLimit))
	}
	if u.Limit == 0 || n < u.Limit {
		u.Limit = n
	}
	return nil
}

func (u *URL) requireLimit() error {
	if u.Limit > 0 {
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
// it, secrets masked, and connection_limit=n in place of any limit.
func (u *URL) WithLimit(n int) string {
	return u.line("connection_limit", strconv.Itoa(n), "connection_limit", "pool_max_conns")
}
