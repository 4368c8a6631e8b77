package settings

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// shareAmongAddresses has each address of a name that has several get its share
// of the time for a host, as far as the connection itself goes: one whose
// packets are dropped must leave time for the next. The driver tries all of
// them with TLS, then all without: such an address is not waited for twice.
func shareAmongAddresses(cfg *pgx.ConnConfig, forHost time.Duration) {
	lookup, dial := cfg.LookupFunc, cfg.DialFunc
	var mu sync.Mutex
	most := 1                        // addresses of a name
	silent := map[string]time.Time{} // since when, by address
	cfg.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		addresses, err := lookup(ctx, host)
		mu.Lock()
		defer mu.Unlock()
		most = max(most, len(addresses))
		return addresses, err
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		n, since := most, silent[address]
		mu.Unlock()
		if n == 1 {
			return dial(ctx, network, address)
		}
		if time.Since(since) < forHost {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
		}
		share, cancel := context.WithTimeout(ctx, forHost/time.Duration(n))
		defer cancel()
		conn, err := dial(share, network, address)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			mu.Lock()
			silent[address] = time.Now()
			mu.Unlock()
		}
		return conn, err
	}
}
