package settings

import (
	"fmt"
	"math/rand/v2"
	"os/user"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

func TestURLsAreTakenApartAsPrismaAndLibpqDo(t *testing.T) {
	t.Parallel()
	me := "root"
	if u, err := user.Current(); err == nil {
		me = u.Username
	}
	for url, want := range map[string]struct {
		user, password, database string
		hosts                    []Host
	}{
		"postgresql://app:pw@db:5433/shop":                 {"app", "pw", "shop", []Host{{"db", 5433}}},
		"postgres://app:pw@db/shop":                        {"app", "pw", "shop", []Host{{"db", 5432}}},
		"postgresql://app@db/shop":                         {"app", "", "shop", []Host{{"db", 5432}}},
		"postgresql://app:@db/shop":                        {"app", "", "shop", []Host{{"db", 5432}}},
		"postgresql://app:pw@db":                           {"app", "pw", "app", []Host{{"db", 5432}}},
		"postgresql://app:pw@db/":                          {"app", "pw", "app", []Host{{"db", 5432}}},
		"postgresql://":                                    {me, "", me, []Host{{"localhost", 5432}}},
		"postgresql:///shop":                               {me, "", "shop", []Host{{"localhost", 5432}}},
		"postgresql://app:pw@/shop":                        {"app", "pw", "shop", []Host{{"localhost", 5432}}},
		"postgresql://app:pw@:5433/shop":                   {"app", "pw", "shop", []Host{{"localhost", 5433}}},
		"postgresql://app:p@ss@db/shop":                    {"app", "p@ss", "shop", []Host{{"db", 5432}}},
		"postgresql://app:p:w@db/shop":                     {"app", "p:w", "shop", []Host{{"db", 5432}}},
		"postgresql://a%40b:p%2Fw%25%3f+@db/my%20shop":     {"a@b", "p/w%?+", "my shop", []Host{{"db", 5432}}},
		"postgresql://app:pw@[::1]:5433/shop":              {"app", "pw", "shop", []Host{{"::1", 5433}}},
		"postgresql://app:pw@[fe80::1%25eth0]/shop":        {"app", "pw", "shop", []Host{{"fe80::1%eth0", 5432}}},
		"postgresql://app:pw@a:1,b,[::1]:3/shop":           {"app", "pw", "shop", []Host{{"a", 1}, {"b", 5432}, {"::1", 3}}},
		"postgresql://app:pw@%2Ftmp%2Fsock/shop":           {"app", "pw", "shop", []Host{{"/tmp/sock", 5432}}},
		"postgresql://app:pw@%2Ftmp%2Fsock:5433/shop":      {"app", "pw", "shop", []Host{{"/tmp/sock", 5433}}},
		"postgresql://app:pw@db:5433/shop?host=/tmp/sock":  {"app", "pw", "shop", []Host{{"/tmp/sock", 5433}}},
		"postgresql:///shop?host=/tmp&port=5433":           {me, "", "shop", []Host{{"/tmp", 5433}}},
		"postgresql:///?host=a,b&port=1,2":                 {me, "", me, []Host{{"a", 1}, {"b", 2}}},
		"postgresql:///?port=1,2&host=a,b":                 {me, "", me, []Host{{"a", 1}, {"b", 2}}},
		"postgresql:///?host=a,b&port=7":                   {me, "", me, []Host{{"a", 7}, {"b", 7}}},
		"postgresql://x:y@db/z?user=app&password=a%26b":    {"app", "a&b", "z", []Host{{"db", 5432}}},
		"postgresql://x:y@db/z?dbname=shop":                {"x", "y", "shop", []Host{{"db", 5432}}},
		"postgresql://app:pw@db/shop?application_name=a@b": {"app", "pw", "shop", []Host{{"db", 5432}}},
		"postgresql://app:pw@db/shop?a=1 # my database":    {"app", "pw", "shop", []Host{{"db", 5432}}},
	} {
		u, err := parseURL(url, Origin{Variable: DatabaseURL}, "", jsproject.ConnectionLimit)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if u.User != want.user || u.Password() != want.password || u.Database != want.database || !slices.Equal(u.Hosts, want.hosts) {
			t.Errorf("%s: user %q, password %q, database %q, hosts %v", url, u.User, u.Password(), u.Database, u.Hosts)
		}
	}
}

func TestBrokenURLsAreRefusedWithoutTheirPassword(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"prisma://accelerate.prisma-data.net/?api_key=s3cret": "Prisma Accelerate",
		"prisma+postgres://localhost:51213/?api_key=s3cret":   "prisma dev",
		"mysql://app:s3cret@db/shop":                          "MySQL",
		"file:./s3cret.db":                                    "SQLite",
		"jdbc:postgresql://db/shop?user=a&password=s3cret":    "JDBC",
		"POSTGRES+s3cret://db":                                "should begin with postgresql://",
		"host=db password=s3cret":                             "should begin with postgresql://",
		"s3cret":                                              "should begin with postgresql://",
		"postgresql://app:s3cret/x@db/shop":                   "percent-encode",
		"postgresql://app:s3cret?x@db/shop":                   "percent-encode",
		"postgresql://app:s3cret#x@db/shop":                   "percent-encode",
		"postgresql://app:12?s3cret=x@db":                     "percent-encode",
		"postgresql://app:a@b?s3cret@db/shop":                 "percent-encode",
		"postgresql://app:a@b?x=s3cret@db/shop":               "percent-encode",
		"postgresql://app:a@b/s3cret@db/shop":                 "percent-encode",
		"postgresql://app:s3cret/x":                           "an unencoded password?",
		"postgresql://app:s3cret:x/shop":                      "an unencoded password?",
		"postgresql://app:s3cret%@db/shop":                    "password",
		"postgresql://app:s3cret%zz@db/shop":                  "%25",
		"postgresql://app:s3cret%00@db/shop":                  "00 excepted",
		"postgresql://a%p:s3cret@db/shop":                     "in its user",
		"postgresql://app:s3cret@d%b/shop":                    "in its host",
		"postgresql://app:s3cret@db/sh%op":                    "in its database",
		"postgresql://app:s3cret@db/shop?schema=%x":           "in its parameters",
		"postgresql://app:s3cret@[::1/shop":                   "bracket",
		"postgresql://app:s3cret@[::1]5432/shop":              "after an IPv6 address",
		"postgresql://app:s3cret@::1/shop":                    "without brackets",
		"postgresql://app:s3cret@db:0/shop":                   "1 to 65535",
		"postgresql://app:s3cret@db:65536/shop":               "1 to 65535",
		"postgresql://app:s3cret@db:x/shop":                   "1 to 65535",
		"postgresql://app:s3cret@a%2Cb/shop":                  "comma",
		"postgresql://app:s3cret@db/shop?host=a,b&port=1,2,3": "2 hosts and 3 ports",
	} {
		e := refused(t, url)
		wantContains(t, e.Problem, says)
		if strings.Contains(e.Error(), "s3cret") {
			t.Errorf("%s: the error shows the password: %v", url, e)
		}
		if !strings.HasPrefix(e.Write, "DATABASE_URL=") {
			t.Errorf("%s: no line to write: %q", url, e.Write)
		}
	}
}

func TestEveryParameterIsRead(t *testing.T) {
	t.Parallel()
	u := database(t, "postgresql://app:pw@db/shop?connection_limit=5&pool_timeout=3&connect_timeout=7&socket_timeout=9&schema=My%20Schema"+
		"&pgbouncer=true&statement_cache_size=20&application_name=shop+app&options=-c%20statement_timeout%3D5s&foo=1&bar&foo=2&max_idle_connection_lifetime=3")
	if u.Limit != 5 || u.PoolTimeout != 3*time.Second || u.ConnectTimeout != 7*time.Second || u.SocketTimeout != 9*time.Second ||
		u.Schema != "My Schema" || !u.PgBouncer || u.StatementCacheSize != 20 || u.ApplicationName != "shop+app" || u.Options != "-c statement_timeout=5s" {
		t.Errorf("read as %d, %s, %s, %s, %q, %v, %d, %q, %q", u.Limit, u.PoolTimeout, u.ConnectTimeout, u.SocketTimeout, u.Schema, u.PgBouncer, u.StatementCacheSize, u.ApplicationName, u.Options)
	}
	if want := []string{"foo", "bar", "max_idle_connection_lifetime"}; !slices.Equal(u.Ignored, want) {
		t.Errorf("ignored %v, want %v", u.Ignored, want)
	}
	u = database(t, "postgresql://app:pw@db/shop?connection_limit=1&pool_timeout=0&connect_timeout=0&pgbouncer=false")
	if u.PoolTimeout != 0 || u.ConnectTimeout != 5*time.Second || u.PgBouncer {
		t.Errorf("zeros are read as %s, %s, %v", u.PoolTimeout, u.ConnectTimeout, u.PgBouncer)
	}
	u = database(t, "postgresql://app:pw@db/shop?connection_limit=1")
	if u.PoolTimeout != 10*time.Second || u.ConnectTimeout != 5*time.Second || u.SocketTimeout != 0 || u.StatementCacheSize != -1 || u.Ignored != nil {
		t.Errorf("defaults are %s, %s, %s, %d, %v", u.PoolTimeout, u.ConnectTimeout, u.SocketTimeout, u.StatementCacheSize, u.Ignored)
	}
}

func TestAWrongValueThatDecidesOverSafetyIsRefusedWithTheLine(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]string{
		"sslmode=on":             "sslmode=require",
		"sslmode=verify_full":    "sslmode=require",
		"channel_binding=always": "channel_binding=require",
		"sslcertmode=never":      "sslcertmode=require",
	} {
		name, _, _ := strings.Cut(pair, "=")
		e := refused(t, "postgresql://app:s3cret@db/shop?"+pair+"&connection_limit=5")
		wantContains(t, e.Problem, name)
		if line := `DATABASE_URL="postgresql://app:***@db/shop?connection_limit=5&` + want + `"`; e.Write != line {
			t.Errorf("%s: the line is %s, want %s", pair, e.Write, line)
		}
	}
}

func TestAnyOtherWrongValueIsANoteWithoutTheValue(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{"pool_timeout=10s3cret", "pool_timeout=-1", "connect_timeout=", "statement_cache_size=all", "pgbouncer=maybe", "ssl=maybe", "sslaccept=yes",
		"target_session_attrs=master", "sslnegotiation=x", "sslsni=true", "default_query_exec_mode=prepared", "socket_timeout=NaN"} {
		name, value, _ := strings.Cut(pair, "=")
		u := database(t, "postgresql://app:s3cret@db/shop?"+pair+"&connection_limit=5")
		if len(u.Notes) != 1 || !strings.Contains(u.Notes[0], name) || value != "" && strings.Contains(u.Notes[0], value) {
			t.Errorf("%s: %q", pair, u.Notes)
		}
		if _, err := u.ConnConfig(); err != nil {
			t.Errorf("%s: %v", pair, err)
		}
	}
	if u := database(t, "postgresql://app@db/shop?pool_timeout=2.5&connect_timeout=2.5&pgbouncer=1&ssl=0&connection_limit=5"); u.PoolTimeout != 2500*time.Millisecond || !u.PgBouncer || u.Notes != nil {
		t.Errorf("%s, %v, %q", u.PoolTimeout, u.PgBouncer, u.Notes)
	}
}

func TestTLSIsNeverWeakerThanWritten(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"ssl=0": "disable", "ssl=false": "disable", "ssl=1": "require", "ssl=true": "require", "ssl=require": "require", "ssl=no-verify": "require",
		"ssl=prefer": "prefer", "ssl=allow": "allow", "ssl=disable": "disable", "ssl=verify-full": "verify-full", "ssl=nonsense": "require", "sslmode=no-verify": "require",
		"ssl=true&sslmode=disable": "require", "sslmode=disable&ssl=true": "require", "ssl=0&sslmode=verify-ca": "verify-ca", "sslmode=require&sslmode=prefer": "require", "": "",
	} {
		if got := database(t, "postgresql://app@db/shop?connection_limit=5&"+query).tls.mode; got != want {
			t.Errorf("%s is read as %q, want %q", query, got, want)
		}
	}
}

func TestPasswordsOfEveryPrintableCharacterComeThrough(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		all.WriteByte(c)
	}
	for _, password := range []string{all.String(), `\`, `'`, `a\'b`, `" or '`, "größe", " leading and trailing "} {
		var encoded strings.Builder
		for _, c := range []byte(password) {
			fmt.Fprintf(&encoded, "%%%02x", c)
		}
		u := database(t, "postgresql://app:"+encoded.String()+"@db/shop?connection_limit=1")
		if u.Password() != password {
			t.Errorf("%q is read as %q", password, u.Password())
		}
		cfg, err := u.ConnConfig()
		if err != nil || cfg.Password != password || cfg.Host != "db" || cfg.User != "app" {
			t.Errorf("%q reaches the driver as %q, %v", password, cfg.Password, err)
		}
	}
}

// Whatever stands in the other parts, the host is the one that was written.
func TestTheHostNeverChanges(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of []string) string { return of[rng.IntN(len(of))] }
	for range 3000 {
		var junk [4]string
		for i := range junk {
			for range rng.IntN(12) {
				junk[i] += string(rune(1 + rng.IntN(0x17f)))
			}
		}
		host, port := pick([]string{"db", "db.example.com", "127.0.0.1", "[::1]"}), 1+rng.IntN(65535)
		url := fmt.Sprintf("%s://%s:%s@%s:%d/%s?%s=%s&connection_limit=%d", pick([]string{"postgres", "postgresql"}), encode(junk[0]), encode(junk[1]), host, port,
			encode(junk[2]), pick([]string{"schema", "options", "application_name", "x", "search_path", "sslpassword", "krbsrvname"}), encode(junk[3]), 1+rng.IntN(9))
		u, err := parseURL(url, Origin{Variable: DatabaseURL}, "", jsproject.ConnectionLimit)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		cfg, err := u.PoolConfig()
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		want := Host{strings.Trim(host, "[]"), uint16(port)}
		if len(u.Hosts) != 1 || u.Hosts[0] != want || cfg.ConnConfig.Host != want.Name || cfg.ConnConfig.Port != want.Port || u.Password() != junk[1] {
			t.Fatalf("%s: hosts %v, the driver's %s:%d, password %q", url, u.Hosts, cfg.ConnConfig.Host, cfg.ConnConfig.Port, u.Password())
		}
		for _, f := range cfg.ConnConfig.Fallbacks {
			if f.Host != want.Name || f.Port != want.Port {
				t.Fatalf("%s: a fallback goes to %s:%d", url, f.Host, f.Port)
			}
		}
	}
}

func TestAPasswordWithABlankAndANumberSignIsNotTakenForACommentBehindAnotherHost(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgresql://app:p@ #w@db/shop", "postgresql://app:12/p #w@db:5433", "postgresql://app:p@ #w@db"} {
		if e := refused(t, url); !strings.Contains(e.Error(), "percent-encode") {
			t.Errorf("%s: %v", url, e)
		}
	}
	if u := database(t, "postgresql://app:pw@db/shop?connection_limit=1 # ask me@example.com"); u.Hosts[0].Name != "db" {
		t.Errorf("a comment with an address: %v", u.Hosts)
	}
}
