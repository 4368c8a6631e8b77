package checklist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// endings: a pool hears errors, a script closes what it made. That an app
// disconnects at its end is advice: without it, no session was left 0.3 s after
// the process.
func (c *check) endings(i *Item) {
	if c.noClient(i) {
		return
	}
	told := map[string]bool{}
	for _, made := range c.code.Clients {
		file, line := made.Place()
		name := c.code.NameOf(made)
		if made.Role == jscode.Script && !c.code.ClosedInScript(made) {
			i.wrong(file, line, fmt.Sprintf("%s is never closed in this script", made.Makes),
				"The process stays, with its connections, until they are idle long enough.", fmt.Sprintf("await %s;", closeCall(made, name)))
		}
		key := made.Module.Path() + made.Makes
		if made.Role != jscode.App || told[key] || made.Fate == jscode.Closed || made.Fate == jscode.PerRequest || made.Fate == jscode.Production {
			continue
		}
		told[key] = true
		if made.Listener != "" && !c.heardBySame(made) {
			i.wrong(file, line, fmt.Sprintf("%s has no error listener", made.Makes),
				"When the server ends an idle session, a pool of node-postgres without one throws, and the dev server crashes.",
				fmt.Sprintf("%s.on('error', (error) => console.error(error.message));", strings.TrimSuffix(name+made.Listener, ".")))
		}
		if made.Module == c.home.Module && !c.closedBySame(made) {
			i.advise(file, line, fmt.Sprintf("%s is not disconnected when the process ends", made.Makes),
				"A query that is running goes on to its end; an idle session ends with the process.",
				fmt.Sprintf("process.once('SIGTERM', () => void %s.finally(() => process.exit())); in the module that starts the server", closeCall(made, name)))
		}
	}
	i.Summary = "errors are heard, and every script closes what it made"
}

// heardBySame and closedBySame: a client and its twin in the branch for
// production have one name.
func (c *check) heardBySame(made *jscode.Client) bool {
	return slices.ContainsFunc(c.code.Clients, func(other *jscode.Client) bool {
		return other.Module == made.Module && other.Driver == made.Driver && c.code.HearsErrors(other)
	})
}

func (c *check) closedBySame(made *jscode.Client) bool {
	return slices.ContainsFunc(c.code.Clients, func(other *jscode.Client) bool {
		return other.Module == made.Module && other.Driver == made.Driver && c.code.ClosedAtEnd(other)
	})
}

func closeCall(made *jscode.Client, name string) string { return name + "." + made.Close + "()" }
