package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// Container is one container as its engine tells it.
type Container struct {
	Engine *Engine `json:"-"`
	ID     string  // all 64 hexadecimal digits: names it for ever
	Name   string
	Image  string // as it was asked for: "postgres:17"
	State  State
	// PID is its main process on this machine; 0 when none runs, or it can't be
	// seen (a virtual machine's) or proven to be this container's.
	PID          int
	Started      time.Time // the last start; zero: never
	ExitCode     int       // of a container that has ended
	OutOfMemory  bool      // the kernel ended it for that
	RestartCount int       // by its restart policy, since a person last started it

	// Project, Service, Dir and Files are Compose's labels: its project's name,
	// the service, the project's folder and its files by full path, the latter two
	// as somebody wrote them. "" and nil when it is not Compose's.
	Project, Service, Dir string
	Files                 []string

	Bindings    []Binding // what it publishes, or would when it runs
	Networks    []Network // empty on the host's network, and when it does not run
	HostNetwork bool      // its ports are this machine's own
	HostPIDs    bool      // it sees processes that are not its own
	MemoryLimit int64     // bytes; 0: none
}

// State is an engine's word for what a container does.
type State string

// The states; the engines know a few more for moments in between.
const (
	Running    State = "running"
	Paused     State = "paused"
	Restarting State = "restarting" // waits before it is started again
	Exited     State = "exited"
	Created    State = "created"
)

// Binding publishes one TCP port of a container.
type Binding struct {
	// Host is the address and port of this machine. 0.0.0.0 stands for every IPv4
	// address, :: for every address. Port 0: the engine chooses at the next start.
	Host netip.AddrPort
	Port int // in the container
}

// Network is a network that a container is in.
type Network struct {
	Name  string
	Addrs []netip.Addr // its own there
}

// String names it for people.
func (c Container) String() string {
	if c.Service != "" {
		return fmt.Sprintf("container %s (%s, service %s of Compose project %s)", c.Name, c.Image, c.Service, c.Project)
	}
	return fmt.Sprintf("container %s (%s)", c.Name, c.Image)
}

// crashing is how long after its start a container that restarts again and again
// is still not taken for running well.
const crashing = 30 * time.Second

// Looping tells whether it ends soon after each start and its restart policy
// starts it again: its log says why.
func (c Container) Looping() bool {
	return c.State == Restarting || c.RestartCount > 1 && time.Since(c.Started) < crashing
}

// PortAt is the container's port that a connection to this address of this
// machine leads to; 0: none.
func (c Container) PortAt(addr netip.AddrPort) int {
	for _, b := range c.Bindings {
		if b.Host == addr {
			return b.Port
		}
	}
	for _, b := range c.Bindings {
		if hostops.AnswersAt(b.Host, addr) {
			return b.Port
		}
	}
	return 0
}

// HasAddr tells whether an address is the container's own on one of its
// networks.
func (c Container) HasAddr(addr netip.Addr) bool {
	return slices.ContainsFunc(c.Networks, func(n Network) bool { return slices.Contains(n.Addrs, addr) })
}

// Publishing are the containers of list that a connection to this address comes
// out at, or would if they ran: those that publish the very address, and only
// without one those that publish every address. Several are several: nothing
// here chooses.
func Publishing(list []Container, addr netip.AddrPort) []Container {
	var exact, any []Container
	for _, c := range list {
		switch {
		case slices.ContainsFunc(c.Bindings, func(b Binding) bool { return b.Host == addr }):
			exact = append(exact, c)
		case c.PortAt(addr) != 0:
			any = append(any, c)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return any
}
