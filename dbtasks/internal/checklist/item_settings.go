package checklist

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// settings: .env has the limit, and the sum of limits fits the server.
func (c *check) settings(i *Item) {
	if c.noClient(i) {
		return
	}
	const why = "The limit is what keeps one reload, or one busy page, from taking every slot."
	err := c.Settings
	if err == nil {
		err = c.urlErr
	}
	var setting *settings.SettingError
	switch {
	case errors.As(err, &setting):
		i.wrong(c.relative(setting.File), setting.Line, strings.TrimSpace(setting.Variable+" "+setting.Problem), why, setting.Write)
	case err != nil:
		i.unsure(".env", 0, err.Error(), why)
	case c.home.Limit.FromURL && c.url.PoolTimeout == 0: // other drivers do not read it
		i.wrong(c.relative(c.url.Origin.File), c.url.Origin.Line, "DATABASE_URL has pool_timeout=0",
			"When the pool is used up, every query waits for ever, and the page with it.", c.url.With("pool_timeout", "10"))
	}
	sum, parts := c.sum()
	words := fmt.Sprintf("%d connections at most: %s", sum, strings.Join(parts, " + "))
	switch {
	case c.Usable > 0 && sum > c.Usable:
		i.wrong(".env", 0, fmt.Sprintf("%s; the server has %d slots for them", words, c.Usable),
			"When all pools are full at once, the last ones are refused with \"too many clients already\".", "a lower limit, fewer workers of the test runner, or a higher max_connections")
	case c.Usable == 0:
		i.unsure(".env", 0, words+"; how many slots the server has is not known: "+c.NoServer, "The sum of all limits has to stay below what the server can give.")
	default:
		words += fmt.Sprintf(", of %d slots", c.Usable)
	}
	if c.home.Limit.FromURL && c.url != nil {
		words += fmt.Sprintf("; pool_timeout %d s", int(c.url.PoolTimeout.Seconds()))
	}
	i.Summary = words
}

// relative is a file as the other findings name it.
func (c *check) relative(file string) string {
	if file == "" {
		return ".env"
	}
	if rel, err := filepath.Rel(c.root, file); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	return file
}

// sum is how many connections all clients may open together, and of what it is
// made. Clients of several apps of a workspace count all: they run together.
func (c *check) sum() (total int, parts []string) {
	add := func(n int, what string) {
		total += n
		parts = append(parts, fmt.Sprintf("%d %s", n, what))
	}
	counted := map[string]bool{}
	others := 0
	for _, made := range c.app() {
		n := most(made)
		switch {
		case made.Fate == jscode.Production:
		case made.Module != c.home.Module:
			others += n
		case !counted[made.Makes]: // a client and its twin for production count once
			counted[made.Makes] = true
			add(n, "of "+made.Makes)
		}
	}
	if others > 0 {
		add(others, "of the other clients")
	}
	if c.workers.count > 0 {
		add(c.workers.count*most(c.home), "of "+c.workers.String())
	}
	add(1, "of dbtasks")
	return total, parts
}

// most is how many connections a client may open: its limit, else what its
// driver takes when nobody says.
func most(made *jscode.Client) int {
	if made.Limit.Number > 0 {
		return made.Limit.Number
	}
	return made.Default
}
