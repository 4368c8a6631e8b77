package settings

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestASilentAddressOfANameLeavesTimeForTheNext(t *testing.T) {
	t.Parallel()
	u := database(t, "postgresql://app@db.test:5432/shop?connection_limit=1&connect_timeout=1")
	cfg, err := u.ConnConfig()
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	lookup := func(context.Context, string) ([]string, error) { return []string{"192.0.2.1", "192.0.2.2"}, nil }
	reached := errors.New("the second was tried")
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		if address == "192.0.2.2:5432" {
			tries++
			return nil, reached
		}
		<-ctx.Done() // packets are dropped
		return nil, ctx.Err()
	}
	cfg.LookupFunc, cfg.DialFunc = lookup, dial
	shareAmongAddresses(cfg, cfg.ConnectTimeout)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := pgx.ConnectConfig(ctx, cfg); !errors.Is(err, reached) || tries != 2 {
		t.Errorf("the second was tried %d times, want with TLS and without: %v", tries, err)
	}
}
