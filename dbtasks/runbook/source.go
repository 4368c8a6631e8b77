package runbook

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// Source is one holder: a local process, or, where that can't be told, what
// application, role and address have in common.
type Source struct {
	PID          int       `json:"pid,omitempty"` // 0: not told: another machine's, a container's, another user's process
	Command      string    `json:"command,omitempty"`
	Dir          string    `json:"dir,omitempty"`
	Project      string    `json:"project,omitempty"`  // root of the project that it works in
	Branch       string    `json:"branch,omitempty"`   // git's, that is checked out there
	Worktree     string    `json:"worktree,omitempty"` // name of the linked git worktree that it is
	Ours         bool      `json:"ours"`               // of the project that this tool was called for
	Parents      []string  `json:"parents,omitempty"`  // nearest first
	Started      time.Time `json:"started,omitzero"`
	Ports        []int     `json:"ports,omitempty"` // that it listens on
	Stopped      bool      `json:"stopped"`         // frozen (Ctrl+Z): it keeps its sessions for ever
	Dead         bool      `json:"dead"`            // a process of this machine that is gone; the server has not noticed
	Applications []string  `json:"applications"`
	Roles        []string  `json:"roles"`
	Databases    []string  `json:"databases"`
	Addr         string    `json:"addr,omitempty"`      // of the client; empty: Unix socket, or hidden
	Container    string    `json:"container,omitempty"` // the client is in this container of this machine
	Through      string    `json:"through,omitempty"`   // what stands between and hides the process: "docker-proxy"
	Count        int       `json:"count"`
	Idle         int       `json:"idle"`                 // 0 and absent in JSON where no state is known
	LastMinute   int       `json:"last_minute"`          // of Count, opened within the last minute
	OldestMS     int64     `json:"oldest_ms"`            // since the oldest was opened; both absent in JSON where no start is known
	Pools        int       `json:"pools"`                // separate pools within the process, by the times of their sessions
	LeftBehind   int       `json:"left_behind"`          // idle sessions of all pools but the newest: left by reloads
	Pooler       bool      `json:"pooler"`               // a connection pooler, which holds them for clients of its own
	Clients      int       `json:"clients,omitempty"`    // of the pooler
	ClientsOf    []string  `json:"clients_of,omitempty"` // the local processes that hold most of these

	Members     []SessionID `json:"-"` // the sessions
	StatesKnown bool        `json:"-"` // of at least one
	TimesKnown  bool        `json:"-"` // when at least one was opened
}

// MarshalJSON leaves out what is not known.
func (s Source) MarshalJSON() ([]byte, error) {
	type plain Source
	out := struct {
		plain
		Idle       *int   `json:"idle,omitempty"`
		LastMinute *int   `json:"last_minute,omitempty"`
		OldestMS   *int64 `json:"oldest_ms,omitempty"`
	}{plain: plain(s)}
	if s.StatesKnown {
		out.Idle = &s.Idle
	}
	if s.TimesKnown {
		out.LastMinute, out.OldestMS = &s.LastMinute, &s.OldestMS
	}
	return json.Marshal(out)
}

// IdleWords and TimeWords are what is known of the sessions, for people: "5
// idle", "2 opened in the last minute, the oldest 3 min ago"; empty where
// nothing is.
func (s Source) IdleWords() string {
	if !s.StatesKnown {
		return ""
	}
	return fmt.Sprintf("%d idle", s.Idle)
}

// sources groups sessions by the process that holds them, most sessions first.
func sources(sc scene, sessions []pgops.Session, clients map[int]server.Client) []Source {
	grouped := map[string][]pgops.Session{}
	who := map[string]server.Client{}
	for _, s := range sessions {
		client := clients[s.PID]
		key := strings.Join([]string{s.ApplicationName, s.Role, s.ClientAddr}, "\x00")
		switch {
		case len(client.PIDs) > 0:
			key = fmt.Sprint(client.PIDs[0])
		case client.Container != nil:
			key = client.Container.ID
		case client.Gone:
			key += "\x00dead"
		case client.Through != "":
			key = strings.Join([]string{s.ApplicationName, s.Role, client.Through}, "\x00")
		}
		grouped[key], who[key] = append(grouped[key], s), client
	}
	list := []Source{}
	for key, group := range grouped {
		src, client := sourceOf(group), who[key]
		src.Dead, src.Through = client.Gone, client.Through
		if client.Container != nil {
			src.Container = client.Container.String()
		}
		if len(client.PIDs) > 0 {
			src.describe(sc, client.PIDs[0])
			src.describePooler(sc)
		}
		list = append(list, src)
	}
	slices.SortFunc(list, func(a, b Source) int {
		return cmp.Or(b.Count-a.Count, a.PID-b.PID, strings.Compare(a.Addr+strings.Join(a.Applications, ","), b.Addr+strings.Join(b.Applications, ",")))
	})
	return list
}

// sourceOf sums up the sessions of one source.
func sourceOf(list []pgops.Session) Source {
	now := time.Now()
	src := Source{Count: len(list), Addr: list[0].ClientAddr}
	for _, s := range list {
		src.Members = append(src.Members, s.ID())
		src.Applications = addOnce(src.Applications, s.ApplicationName)
		src.Roles = addOnce(src.Roles, s.Role)
		src.Databases = addOnce(src.Databases, s.Database)
		if s.State == pgops.StateIdle {
			src.Idle++
		}
		src.StatesKnown = src.StatesKnown || s.State != pgops.StateHidden
		if s.BackendStart != nil {
			src.TimesKnown = true
			age := now.Sub(*s.BackendStart)
			src.OldestMS = max(src.OldestMS, age.Milliseconds())
			if age < time.Minute {
				src.LastMinute++
			}
		}
	}
	src.Pools, src.LeftBehind = pools(list, now)
	return src
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// describe adds what is known of the process.
func (src *Source) describe(sc scene, pid int) {
	p := sc.Process(pid)
	src.PID, src.Command, src.Dir, src.Started = pid, p.Command(), p.Dir, p.StartTime
	project := sc.Machine.Project(p)
	src.Project, src.Branch, src.Worktree = project.Root, project.Branch, project.Worktree
	src.Ours, src.Stopped = sc.Whose(p, sc.root) == machine.Ours, p.State == hostops.Stopped
	src.Ports = sc.Ports(pid)
	for _, up := range sc.Table.Ancestors(pid) {
		if up.PID == 1 || len(src.Parents) == 4 {
			break
		}
		src.Parents = append(src.Parents, fmt.Sprintf("%s (pid %d)", up.Command(), up.PID))
	}
}

// poolSlack is how much later than asked for a pool's session may begin: the
// sessions of one burst log in side by side.
const poolSlack = time.Second

// pools tells how many separate pools the sessions of one process are, and how
// many sessions belong to all but the newest. A pool opens a session only when
// none of its own lies idle: a session that began while another had been idle
// for a while, and is idle still, belongs to another pool. Sessions whose
// times are hidden count as one pool.
func pools(list []pgops.Session, now time.Time) (count, leftBehind int) {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b pgops.Session) int { return a.ID().BackendStart.Compare(b.ID().BackendStart) })
	var current []pgops.Session
	idleSince := func(s pgops.Session) time.Time { return now.Add(-s.Age) }
	for _, s := range sorted {
		for _, old := range current {
			if s.BackendStart != nil && old.State == pgops.StateIdle && old.BackendStart != nil && idleSince(old).Add(poolSlack).Before(*s.BackendStart) {
				count++
				for _, left := range current {
					if left.State == pgops.StateIdle {
						leftBehind++
					}
				}
				current = nil
				break
			}
		}
		current = append(current, s)
	}
	return count + 1, leftBehind
}

// Name is a source for people: "node vite dev (pid 4242, ~/shop, port 3000)".
func (s Source) Name() string {
	if s.PID == 0 {
		name := strings.Join(s.Applications, ", ")
		if name == "" {
			name = "a client without application_name"
		}
		switch {
		case s.Container != "":
			return s.Container
		case s.Dead:
			return name + " (its process is dead, the server has not noticed)"
		case s.Through != "":
			return name + " through " + s.Through + " (process unknown)"
		}
		if s.Addr != "" {
			name += " at " + s.Addr
		}
		return name + " (process unknown)"
	}
	parts := []string{fmt.Sprintf("pid %d", s.PID)}
	if s.Dir != "" {
		parts = append(parts, tilde(s.Dir))
	}
	switch {
	case s.Worktree != "" && s.Branch != "" && s.Worktree != s.Branch:
		parts = append(parts, "worktree "+s.Worktree+", branch "+s.Branch)
	case s.Worktree != "":
		parts = append(parts, "worktree "+s.Worktree)
	case s.Branch != "":
		parts = append(parts, "branch "+s.Branch)
	}
	for _, port := range s.Ports {
		parts = append(parts, fmt.Sprintf("port %d", port))
	}
	if s.Stopped {
		parts = append(parts, "stopped")
	}
	name := fmt.Sprintf("%s (%s)", s.Command, strings.Join(parts, ", "))
	if s.Pooler {
		name += fmt.Sprintf(" for %d clients", s.Clients)
		if len(s.ClientsOf) > 0 {
			name += " of " + strings.Join(s.ClientsOf, ", ")
		}
	}
	return name
}

// tilde shortens the user's home folder as shells do.
func tilde(dir string) string {
	home, err := os.UserHomeDir()
	if err == nil && len(home) > 1 && (dir == home || strings.HasPrefix(dir, home+string(os.PathSeparator))) {
		return "~" + dir[len(home):]
	}
	return dir
}
