package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// SessionsOfRole are the sessions of one role in one database, and the projects
// on this machine that hold them.
type SessionsOfRole struct {
	Database string   `json:"database,omitempty"` // absent: not told
	Role     string   `json:"role,omitempty"`
	Count    int      `json:"count"`
	AtWork   int      `json:"at_work"`            // of Count, known not to be idle
	Projects []string `json:"projects,omitempty"` // folders
}

// String is a line of a plan.
func (s SessionsOfRole) String() string {
	text := fmt.Sprintf("%d of role %s in database %s", s.Count, orUnknown(s.Role), orUnknown(s.Database))
	if s.AtWork > 0 {
		text += fmt.Sprintf(", %d of them at work", s.AtWork)
	}
	if len(s.Projects) > 0 {
		text += " (" + strings.Join(s.Projects, ", ") + ")"
	}
	return text
}

func orUnknown(name string) string {
	if name == "" {
		return "unknown"
	}
	return fmt.Sprintf("%q", name)
}

// restartEnds groups the sessions of every database that a restart would end.
func (sc scene) restartEnds(ctx context.Context, sessions []pgops.Session) []SessionsOfRole {
	list := []SessionsOfRole{}
	clients := sc.holders(ctx, sessions)
	for _, s := range sessions {
		i := slices.IndexFunc(list, func(g SessionsOfRole) bool { return g.Database == s.Database && g.Role == s.Role })
		if i < 0 {
			i = len(list)
			list = append(list, SessionsOfRole{Database: s.Database, Role: s.Role})
		}
		g := &list[i]
		g.Count++
		if s.State != pgops.StateIdle && s.State != pgops.StateHidden && s.State != pgops.StateDisabled {
			g.AtWork++
		}
		for _, pid := range clients[s.PID].PIDs {
			if dir := tilde(sc.Project(sc.Process(pid)).Root); dir != "" && !slices.Contains(g.Projects, dir) {
				g.Projects = append(g.Projects, dir)
			}
		}
	}
	slices.SortFunc(list, func(a, b SessionsOfRole) int {
		return strings.Compare(a.Database+"\x00"+a.Role, b.Database+"\x00"+b.Role)
	})
	return list
}

// sessionsToEnd are the sessions of the whole server: by the session that is
// there, else by the titles of its processes.
func (sc scene) sessionsToEnd(ctx context.Context, rb *Runbook, a *access) []pgops.Session {
	if a != nil {
		if list, err := pgops.Sessions(ctx, a.conn, ""); err == nil {
			return list
		}
	}
	return sc.seenFromOutside(rb)
}

// othersAtWork is the refusal of a restart on its own decision (auto) while
// another database's sessions are at work: their work would be lost. It is nil
// where nobody is known to be.
func othersAtWork(rb *Runbook, ends []SessionsOfRole) *Failure {
	var busy []string
	for _, s := range ends {
		if s.AtWork > 0 && s.Database != "" && s.Database != rb.pool.URL().Database {
			busy = append(busy, s.String())
		}
	}
	if len(busy) == 0 {
		return nil
	}
	return &Failure{Exit: ExitNotDone, Code: "others_at_work", Details: busy,
		Message: "PostgreSQL was not restarted: sessions of other databases are at work, and a restart would end them.",
		Next:    "when they may be ended: " + rb.Command("dev:recover -restart=always")}
}
