package settings

import (
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

func TestThePoolLimitIsTheSmallerOfTheTwo(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]int{
		"connection_limit=5":                   5,
		"pool_max_conns=4":                     4,
		"connection_limit=5&pool_max_conns=4":  4,
		"pool_max_conns=9&connection_limit=2":  2,
		"schema=x&connection_limit=2147483647": 2147483647,
	} {
		u := database(t, "postgresql://app:pw@db/shop?"+query)
		cfg, err := u.PoolConfig()
		if err != nil || u.Limit != want || int(cfg.MaxConns) != want || cfg.MinConns != 0 || cfg.MinIdleConns != 0 {
			t.Errorf("%s: limit %d, want %d; the pool's %d, %v", query, u.Limit, want, cfg.MaxConns, err)
		}
	}
}

func TestAMissingOrWrongLimitShowsTheLineToWrite(t *testing.T) {
	t.Parallel()
	for query, says := range map[string]string{
		"":                                      "no pool limit",
		"connection_limit=0":                    "connection_limit should be",
		"connection_limit=-1":                   "connection_limit should be",
		"connection_limit=five":                 "connection_limit should be",
		"connection_limit=":                     "connection_limit should be",
		"connection_limit=2147483648":           "connection_limit should be",
		"connection_limit=99999999999999999999": "connection_limit should be",
		"pool_max_conns=0":                      "pool_max_conns should be",
		"connection_limit=5&pool_max_conns=x":   "pool_max_conns should be",
		"connection%5flimit=x":                  "connection_limit should be",
		"connection_limit=5&connection_limit=5": "connection_limit twice",
	} {
		e := refused(t, "postgresql://app:s3cret@localhost:5432/shop?"+query)
		wantContains(t, e.Problem, says)
		if want := `DATABASE_URL="postgresql://app:***@localhost:5432/shop?connection_limit=5"`; e.Write != want {
			t.Errorf("%s: the line is %s, want %s", query, e.Write, want)
		}
	}
}

// The line, with the password put in again, is read as the same URL.
func TestTheLineToWriteKeepsTheRestOfTheURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://app:s3cret@[::1],b:2/my%20shop?schema=a&foo=x+y": `DATABASE_URL="postgres://app:***@[::1],b:2/my%20shop?schema=a&foo=x+y&connection_limit=5"`,
		"postgresql://app@db":                               `DATABASE_URL="postgresql://app@db?connection_limit=5"`,
		"postgresql:///?host=/tmp&password=s3cret":          `DATABASE_URL="postgresql:///?host=/tmp&password=***&connection_limit=5"`,
		"postgresql://a$USER:s3cret@db/$x?options=-c%20a=b": `DATABASE_URL="postgresql://a%24USER:***@db/%24x?options=-c%20a=b&connection_limit=5"`,
		`postgresql://a\n"b:s3cret@db/x`:                    `DATABASE_URL="postgresql://a%5Cn%22b:***@db/x?connection_limit=5"`,
	} {
		write := refused(t, url).Write
		if write != want {
			t.Errorf("%s: the line is %s, want %s", url, write, want)
		}
		before, err := parseURL(url, Origin{Variable: DatabaseURL}, "", jsproject.ConnectionLimit)
		if err != nil {
			t.Fatal(err)
		}
		after, err := load(t, strings.ReplaceAll(write, "***", "s3cret"), "USER=someone").Database()
		if err != nil {
			t.Fatalf("%s: %v", write, err)
		}
		if after.Limit != 5 || after.User != before.User || after.Database != before.Database || after.Password() != before.Password() || after.Hosts[0] != before.Hosts[0] {
			t.Errorf("%s is read as %v", write, after)
		}
	}
}

func TestALimitAboveTheServersIsRefusedWithOneThatFits(t *testing.T) {
	t.Parallel()
	u := database(t, "postgresql://app:pw@db/shop?pool_max_conns=500&connection_limit=400")
	for usable, want := range map[int]string{97: "connection_limit=5", 3: "connection_limit=3", 0: "connection_limit=1"} {
		e := u.TooHigh(usable)
		if want := `DATABASE_URL="postgresql://app:***@db/shop?` + want + `"`; e.Write != want {
			t.Errorf("%d: the line is %s, want %s", usable, e.Write, want)
		}
		wantContains(t, e.Error(), "400")
	}
}
