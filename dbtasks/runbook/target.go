package runbook

import (
	"fmt"
	"net"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Place is where a session is: the host is a name, an address or the folder of
// a Unix socket.
type Place struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	Role     string `json:"role"`
	From     string `json:"url_from"` // variable, file and line of the URL: "DATABASE_URL of .env, line 2"
}

// placeOf is the first host of a URL.
func placeOf(url *settings.URL) Place {
	return Place{Host: url.Hosts[0].Name, Port: int(url.Hosts[0].Port), Database: url.Database, Role: url.User, From: url.Origin.String()}
}

// Named is the database for people, with where its URL stands: `database "app"
// (DATABASE_URL of .env, line 2)`.
func (t Place) Named() string {
	if t.From == "" {
		return fmt.Sprintf("database %q", t.Database)
	}
	return fmt.Sprintf("database %q (%s)", t.Database, t.From)
}

// At is host and port for people, or the path of the socket.
func (t Place) At() string {
	if strings.HasPrefix(t.Host, "/") {
		return fmt.Sprintf("%s/.s.PGSQL.%d", strings.TrimSuffix(t.Host, "/"), t.Port)
	}
	return net.JoinHostPort(t.Host, fmt.Sprint(t.Port))
}

// Target is the server that a procedure acts on, and whether it was proven to
// be this machine's own. Nothing is ended on one that was not.
type Target struct {
	Place
	Address   string     `json:"address,omitempty"` // where it answered: IP address and port, or a socket's path
	Local     bool       `json:"local"`
	Proof     string     `json:"proof"`               // why it counts as local, or why it does not
	Listener  *Listener  `json:"listener,omitempty"`  // absent: hidden from this user, or not on this machine
	Container *Container `json:"container,omitempty"` // where the server runs; absent: in none, or not told
	// Others are servers on the same port at other addresses of this machine.
	Others []string `json:"other_servers,omitempty"`
}

// Listener is the process that accepts connections at the address.
type Listener struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// Container is a container of this machine.
type Container struct {
	Engine  string `json:"engine"` // docker, podman
	ID      string `json:"id"`
	Name    string `json:"name"`
	Image   string `json:"image"`
	Project string `json:"compose_project,omitempty"`
	Service string `json:"compose_service,omitempty"`
	State   string `json:"state"`

	words string
}

// targetOf is what a report says of a server.
func targetOf(url *settings.URL, s *server.Server) Target {
	t := Target{Place: placeOf(url), Local: s.Local, Proof: s.Proof, Others: s.Others}
	if a := s.Address; !a.IsZero() {
		t.Host, t.Port, t.Address = a.Host.Name, a.Port(), a.Socket
		if !a.IsUnix() {
			t.Address = a.TCP.String()
		}
	}
	if s.Listener.PID != 0 {
		t.Listener = &Listener{PID: s.Listener.PID, Name: s.Listener.Name}
	}
	if c := s.Container; c != nil {
		t.Container = &Container{Engine: c.Engine.Program, ID: c.ID, Name: c.Name, Image: c.Image, Project: c.Project, Service: c.Service, State: string(c.State), words: c.String()}
	}
	return t
}

// String names the container for people.
func (c Container) String() string { return c.words }

func (t Target) String() string {
	s := fmt.Sprintf("%s, role %q at %s", t.Named(), t.Role, t.At())
	var more []string
	if t.Address != "" && t.Address != t.At() && !strings.HasPrefix(t.Host, "/") {
		more = append(more, t.Address)
	}
	switch {
	case t.Container != nil:
		more = append(more, t.Container.words)
	case t.Listener != nil:
		more = append(more, fmt.Sprintf("listener: %s, pid %d", t.Listener.Name, t.Listener.PID))
	}
	if len(more) > 0 {
		s += " (" + strings.Join(more, "; ") + ")"
	}
	if len(t.Others) > 0 {
		s += "; on the same port, and left alone: " + strings.Join(t.Others, ", ")
	}
	return s
}

// permit is the gate before every harm. On a server that is not proven local
// it wants the database by name, and then only the role's own sessions are
// ended: onlyRole says whose.
func (t *Target) permit(rb *Runbook, target, remote string) (onlyRole string, err error) {
	if remote != "" && remote != t.Database {
		return "", &Failure{Exit: ExitSettings, Code: "wrong_remote",
			Message: fmt.Sprintf("-remote=%s does not name the database of the URL, which is %q; nothing was touched.", remote, t.Database),
			Next:    rb.Command(fmt.Sprintf("%s -remote=%s", target, plain.Word(t.Database)))}
	}
	if t.Local {
		return "", nil
	}
	if remote == "" {
		return "", &Failure{Exit: ExitRefused, Code: "refused_remote",
			Message: fmt.Sprintf("Refused: %s is not proven to be a server of this machine: %s. Nothing was touched.", t.At(), t.Proof),
			Details: []string{fmt.Sprintf("%s, role %q", t.Named(), t.Role)},
			Next:    fmt.Sprintf("if it is yours to clean up: %s (ends only sessions of role %q)", rb.Command(fmt.Sprintf("%s -remote=%s", target, plain.Word(t.Database))), t.Role)}
	}
	return t.Role, nil
}
