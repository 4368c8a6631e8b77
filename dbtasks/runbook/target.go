package runbook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Place is where a session is: the host is a name, an address or the folder of
// a Unix socket.
type Place struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	Role     string `json:"role"`
}

// placeOf is the first host of a URL.
func placeOf(url *settings.URL) Place {
	return Place{Host: url.Hosts[0].Name, Port: int(url.Hosts[0].Port), Database: url.Database, Role: url.User}
}

// Target is the server that a procedure acts on, and whether it was proven to
// be this machine's own. Nothing is ended on one that was not.
type Target struct {
	Place
	Local    bool      `json:"local"`
	Proof    string    `json:"proof"`              // why it counts as local, or why it does not
	Listener *Listener `json:"listener,omitempty"` // null: hidden from this user, or not on this machine
	// Addresses are those that the host's name resolves to, where it is several
	// and not just this machine's loopback.
	Addresses []string `json:"addresses,omitempty"`
	hidden    bool     // something listens on this very machine, and whose it is can't be told
	// behind is the server's own port where a pooler listens on Port; 0: none does.
	behind int
}

// clientsPort is the port that the server's clients are connected to.
func (t Target) clientsPort() int {
	if t.behind != 0 {
		return t.behind
	}
	return t.Port
}

// Listener is the process behind the URL's host and port.
type Listener struct {
	PID  int                  `json:"pid"`
	Name string               `json:"name"`
	Kind hostops.ListenerKind `json:"-"`
}

func (t Target) String() string {
	s := fmt.Sprintf("database %q, role %q at %s", t.Database, t.Role, t.At())
	if t.Listener != nil {
		s += fmt.Sprintf(" (listener: %s, pid %d)", t.Listener.Name, t.Listener.PID)
	}
	if len(t.Addresses) > 0 {
		s += fmt.Sprintf(" (several addresses: %s)", strings.Join(t.Addresses, ", "))
	}
	return s
}

// At is host and port for people, or the path of the socket.
func (t Place) At() string {
	if strings.HasPrefix(t.Host, "/") {
		return fmt.Sprintf("%s/.s.PGSQL.%d", strings.TrimSuffix(t.Host, "/"), t.Port)
	}
	return net.JoinHostPort(t.Host, fmt.Sprint(t.Port))
}

// locate finds the listener of the URL's host and port. Several hosts are
// local only when each is: the driver may use any of them.
func locate(ctx context.Context, url *settings.URL) (Target, error) {
	sockets, err := hostops.ReadSockets(ctx)
	if err != nil {
		return Target{}, fmt.Errorf("look for the listener: %w", err)
	}
	return locateIn(ctx, sockets, url), nil
}

func locateIn(ctx context.Context, sockets *hostops.Sockets, url *settings.URL) Target {
	var t Target
	for i, host := range url.Hosts {
		one := locateHost(ctx, sockets, host.Name, int(host.Port))
		if i == 0 || !one.Local {
			t = one
		}
		if !one.Local {
			break
		}
	}
	t.Database, t.Role = url.Database, url.User
	return t
}

func locateHost(ctx context.Context, sockets *hostops.Sockets, host string, port int) Target {
	t := Target{Place: Place{Host: host, Port: port}}
	if strings.HasPrefix(host, "/") {
		t.Local, t.Proof = true, "a Unix socket of this machine"
		if pid, ok := sockets.UnixListener(filepath.Join(host, fmt.Sprintf(".s.PGSQL.%d", port))); ok {
			if p, err := hostops.Find(pid); err == nil {
				t.Listener = &Listener{PID: pid, Name: p.Name, Kind: hostops.KindOf(p)}
			}
		}
		return t
	}
	addrs, err := resolve(ctx, host)
	if err != nil {
		t.Proof = "its host does not resolve to an address"
		return t
	}
	if len(addrs) > 1 && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !a.IsLoopback() }) {
		for _, addr := range addrs {
			t.Addresses = append(t.Addresses, addr.String())
		}
	}
	for _, addr := range addrs {
		if !hostops.LocalAddress(addr) {
			t.Proof = fmt.Sprintf("%s is not an address of this machine", addr)
			if hostops.BridgeNetwork(addr) {
				t.Local, t.Proof = true, fmt.Sprintf("%s lies on a container network of this machine", addr)
			}
			return t
		}
	}
	t.Proof = fmt.Sprintf("nothing listens on port %d", port)
	for _, l := range listenersOn(sockets, port, addrs) {
		judge(&t, l)
		if !t.Local {
			break
		}
	}
	return t
}

// listenersOn are the processes that listen on a port of these addresses, the
// zero Process for one that is hidden from this user. A
// server's child that has just been forked holds its parent's socket for a
// moment: the parent is the listener.
func listenersOn(sockets *hostops.Sockets, port int, addrs []netip.Addr) []hostops.Process {
	var list []hostops.Process
	pids := map[int]bool{}
	for _, l := range sockets.Listeners() {
		if int(l.Addr.Port()) == port && serves(l.Addr.Addr(), addrs) {
			pids[l.PID] = true
		}
	}
	for pid := range pids {
		if pid == 0 {
			list = append(list, hostops.Process{})
			continue
		}
		if p, err := hostops.Find(pid); err == nil && (p.PPID == 0 || !pids[p.PPID]) { // else it is gone, or such a child
			list = append(list, p)
		}
	}
	return list
}

// judge takes one listener of the port into account. With several, the first
// that is not local decides.
func judge(t *Target, p hostops.Process) {
	pid := p.PID
	if pid == 0 {
		t.Local, t.hidden, t.Proof = false, true, "the process that listens belongs to another user, who it is can't be told before a login"
		return
	}
	t.Listener = &Listener{PID: pid, Name: p.Name, Kind: hostops.KindOf(p)}
	switch t.Listener.Kind {
	case hostops.Postgres:
		t.Local, t.Proof = true, fmt.Sprintf("PostgreSQL listens there on this machine (pid %d)", pid)
	case hostops.Forwarder:
		t.Local, t.Proof = true, fmt.Sprintf("a container of this machine publishes the port (%s, pid %d)", t.Listener.Name, pid)
	default:
		t.Local, t.Proof = false, fmt.Sprintf("%s (pid %d) listens there, which is no PostgreSQL of this machine", t.Listener.Name, pid)
	}
}

// serves tells whether a listener bound to bound answers one of the addresses.
func serves(bound netip.Addr, addrs []netip.Addr) bool {
	if bound.IsUnspecified() {
		return true // an IPv6 wildcard takes IPv4 too unless it says otherwise
	}
	for _, a := range addrs {
		if a.Unmap() == bound.Unmap() {
			return true
		}
	}
	return false
}

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// prove looks for the proof that only a session gives, where the listener was
// hidden: the backend that serves us is a process of this machine whose title
// carries our own client port, or the port is this machine's and the server's
// own address lies on a container network of this machine. (Of another
// machine's server that address proves nothing: Docker gives 172.17.0.x
// everywhere.)
func (t *Target) prove(server pgops.Server) {
	if t.Local || (t.Listener != nil && t.Listener.Kind != hostops.Pooler) {
		return
	}
	if t.hidden && server.ServerAddr.IsValid() && hostops.BridgeNetwork(server.ServerAddr) {
		t.Local, t.Proof = true, fmt.Sprintf("the server's address %s lies on a container network of this machine", server.ServerAddr)
		return
	}
	p, err := hostops.Find(server.BackendPID)
	if err != nil || server.ClientPort <= 0 {
		return
	}
	if title := strings.Join(p.Args, " "); strings.HasPrefix(title, "postgres:") && strings.Contains(title, fmt.Sprintf("(%d)", server.ClientPort)) {
		t.Local, t.Proof = true, fmt.Sprintf("our own backend is process %d of this machine, and its title carries our port", server.BackendPID)
	}
}

// permit is the gate before every harm. On a server that is not proven local
// it wants the database by name, and then only the role's own sessions are
// ended: onlyRole says whose.
func (t *Target) permit(deps *Deps, target, remote string) (onlyRole string, err error) {
	if remote != "" && remote != t.Database {
		return "", &Failure{Exit: ExitSettings, Code: "wrong_remote",
			Message: fmt.Sprintf("-remote=%s does not name the database of the URL, which is %q; nothing was touched.", remote, t.Database),
			Next:    deps.Command(fmt.Sprintf("%s -remote=%s", target, plain.Word(t.Database)))}
	}
	if t.Local {
		return "", nil
	}
	if remote == "" {
		return "", &Failure{Exit: ExitRefused, Code: "refused_remote",
			Message: fmt.Sprintf("Refused: %s is not proven to be a server of this machine: %s. Nothing was touched.", t.At(), t.Proof),
			Details: []string{fmt.Sprintf("database %q, role %q", t.Database, t.Role)},
			Next:    fmt.Sprintf("if it is yours to clean up: %s (ends only sessions of role %q)", deps.Command(fmt.Sprintf("%s -remote=%s", target, plain.Word(t.Database))), t.Role)}
	}
	return t.Role, nil
}
