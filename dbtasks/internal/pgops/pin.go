package pgops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Pin chooses one address of a URL, once, and keeps every login of the run on
// it. It goes through the URL's hosts and their addresses as libpq does: on to
// the next only when one can't be reached, and it stays with the first that
// accepts a connection, whatever that answers. A driver that goes on after an
// answer (pgx does, node-postgres and psql do not) would say "free" of one
// server while the application is refused by another.
//
// Its methods may be called from several goroutines; they take turns.
type Pin struct {
	url *settings.URL
	// dial connects to the pinned address; nil: as everybody does.
	dial func(context.Context, Address) (net.Conn, error)

	mu      sync.Mutex // guards all below
	address Address    // zero until one was reached
	passed  map[string]bool
	spare   *spareConn
}

// NewPin reaches for nothing yet.
func NewPin(url *settings.URL) *Pin { return &Pin{url: url, passed: map[string]bool{}} }

// At is a pin that was chosen by somebody else.
func At(url *settings.URL, a Address) *Pin {
	return &Pin{url: url, address: a, passed: map[string]bool{}}
}

// AtThrough is At with a connection of another kind, as from another account of
// the operating system.
func AtThrough(url *settings.URL, a Address, dial func(context.Context, Address) (net.Conn, error)) *Pin {
	p := At(url, a)
	p.dial = dial
	return p
}

// Address is the chosen one; zero where none was reached so far.
func (p *Pin) Address() Address {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// Reach chooses the address if that was not done before. It takes at most the
// URL's connect timeout, shared among the addresses. Its error is that of the
// last address.
func (p *Pin) Reach(ctx context.Context) (Address, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.address.IsZero() {
		return p.address, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.url.ConnectTimeout)
	defer cancel()
	var last error
	for i, host := range p.url.Hosts {
		addresses, err := Resolve(ctx, host)
		if err != nil {
			last = err
			continue
		}
		for j, a := range addresses {
			if p.passed[a.target()] {
				continue
			}
			conn, err := dial(ctx, a, len(addresses)-j+len(p.url.Hosts)-i-1)
			if err != nil {
				last = err
				continue
			}
			p.address, p.spare = a, keepSpare(conn)
			return a, nil
		}
	}
	if last == nil {
		last = errors.New("no address of the URL is left to try")
	}
	return Address{}, last
}

// Resolve lists the addresses of a host in the resolver's order, which is the
// order that every client of this machine tries them in. A socket's folder is
// one address.
func Resolve(ctx context.Context, host settings.Host) ([]Address, error) {
	if isSocketDir(host.Name) {
		return []Address{{Host: host, Socket: SocketPath(host.Name, int(host.Port))}}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host.Name)
	if err != nil {
		return nil, fmt.Errorf("look up the host: %w", err)
	}
	var list []Address
	for _, ip := range ips {
		list = append(list, Address{Host: host, TCP: netip.AddrPortFrom(ip.Unmap(), host.Port)})
	}
	return list, nil
}

// dial connects to one address within its share of the time, so that one whose
// packets are dropped leaves time for those behind it.
func dial(ctx context.Context, a Address, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return new(net.Dialer).DialContext(ctx, a.network(), a.target())
}

// Apply makes the pinned address the only one that a login with this
// configuration can reach, and pins one first where that was not done before.
// The name in the URL stays what a certificate has to be for.
func (p *Pin) Apply(ctx context.Context, cfg *pgx.ConnConfig) error {
	a, err := p.Reach(ctx)
	if err != nil {
		return err
	}
	all := append([]*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}}, cfg.Fallbacks...)
	var own []*pgconn.FallbackConfig
	for _, f := range all {
		if f.Host == a.Host.Name && f.Port == a.Host.Port {
			own = append(own, f)
		}
	}
	if len(own) == 0 {
		return fmt.Errorf("%s is none of the addresses of this login", a)
	}
	cfg.Host, cfg.Port, cfg.TLSConfig, cfg.Fallbacks = own[0].Host, own[0].Port, own[0].TLSConfig, own[1:]
	if !a.IsUnix() {
		cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{a.TCP.Addr().String()}, nil }
	}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if conn := p.takeSpare(); conn != nil {
			return conn, nil
		}
		if p.dial != nil {
			return p.dial(ctx, a)
		}
		return dial(ctx, a, 1)
	}
	goOnWithoutTLS(cfg)
	return nil
}

// URL is the one whose address this is.
func (p *Pin) URL() *settings.URL { return p.url }

// Login opens one session outside the pool on the pinned address and runs
// nothing. It comes back within the URL's connect timeout; the caller closes
// the session with Logout.
func (p *Pin) Login(ctx context.Context) (*pgx.Conn, error) { return p.LoginAs(ctx, p.url) }

// LoginAs is Login with another URL that names the same host and port: another
// role, another database.
func (p *Pin) LoginAs(ctx context.Context, url *settings.URL) (*pgx.Conn, error) {
	for {
		cfg, err := url.ConnConfig()
		if err != nil {
			return nil, err
		}
		bound(cfg, url)
		conn, err := p.login(ctx, cfg)
		if err == nil || !(parametersRefused(err) && url.SendFewer()) && !p.moveOn(err) {
			return conn, err
		}
	}
}

func (p *Pin) login(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.url.ConnectTimeout)
	defer cancel()
	if err := p.Apply(ctx, cfg); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	return conn, nil
}

// moveOn gives an address up whose server is not what target_session_attrs
// asks for (a standby where the primary is wanted): with several hosts that is
// what they are for. Where a pooler refused the tool's startup parameters, the
// next login sends fewer. It tells whether there is another login to try.
func (p *Pin) moveOn(err error) bool {
	if parametersRefused(err) && p.url.SendFewer() { // of a pool's login
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.url.Hosts) < 2 || p.address.IsZero() || !strings.Contains(err.Error(), "ValidateConnect failed") {
		return false
	}
	p.passed[p.address.target()] = true
	p.address = Address{}
	return true
}

// parametersRefused tells whether a pooler does not know a parameter of the
// login: PgBouncer names it ("unsupported startup parameter: search_path",
// SQLSTATE 08P01). A server's refusal comes from a routine of its source.
func parametersRefused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Routine == "" && strings.Contains(pg.Message, "startup parameter")
}

// spareConn is the connection that chose the address: the first login goes on
// over it, so that choosing costs the server no process of its own.
type spareConn struct {
	net.Conn
	expiry *time.Timer
}

// spareAge is how long a connection is kept that no login took.
const spareAge = time.Second

func keepSpare(conn net.Conn) *spareConn {
	return &spareConn{conn, time.AfterFunc(spareAge, func() { _ = conn.Close() })}
}

func (p *Pin) takeSpare() net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.spare
	p.spare = nil
	if s == nil || !s.expiry.Stop() {
		return nil
	}
	return s.Conn
}

// Release closes the connection that no login took.
func (p *Pin) Release() {
	if conn := p.takeSpare(); conn != nil {
		_ = conn.Close()
	}
}
