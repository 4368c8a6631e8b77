package settings

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

func conn(t *testing.T, query string) *pgx.ConnConfig {
	t.Helper()
	cfg, err := database(t, "postgresql://app:pw@db/shop?connection_limit=5&"+query).ConnConfig()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return cfg
}

// PostgreSQL refuses to log in with a startup parameter that it does not know.
func TestNothingUnknownReachesTheServer(t *testing.T) {
	t.Parallel()
	ours := map[string]string{"application_name": "dbtasks", "client_encoding": "UTF8"}
	with := func(name, value string) map[string]string {
		return map[string]string{"application_name": "dbtasks", "client_encoding": "UTF8", name: value}
	}
	for query, want := range map[string]map[string]string{
		"":                                    ours,
		"pool_max_conns=4":                    ours,
		"pool_timeout=1":                      ours,
		"connect_timeout=1":                   ours,
		"socket_timeout=1":                    ours,
		"statement_cache_size=100":            ours,
		"pgbouncer=true":                      ours,
		"sslmode=disable":                     ours,
		"sslmode=no-verify":                   ours,
		"ssl=true":                            ours,
		"sslaccept=strict":                    ours,
		"sslpassword=x":                       ours,
		"application_name=shop":               ours,
		"fallback_application_name=shop":      ours,
		"host=/tmp":                           ours,
		"port=1":                              ours,
		"user=u":                              ours,
		"password=p":                          ours,
		"dbname=d":                            ours,
		"target_session_attrs=read-write":     ours,
		"channel_binding=disable":             ours,
		"sslnegotiation=postgres":             ours,
		"sslsni=0":                            ours,
		"sslcertmode=disable":                 ours,
		"krbsrvname=x":                        ours,
		"krbspn=x":                            ours,
		"require_auth=scram-sha-256":          ours,
		"passfile=/no/such":                   ours,
		"min_protocol_version=3.0":            ours,
		"max_protocol_version=latest":         ours,
		"default_query_exec_mode=exec":        ours,
		"statement_cache_capacity=3":          ours,
		"pool_min_conns=2":                    ours,
		"pool_max_conn_lifetime=1h":           ours,
		"service=x":                           ours,
		"servicefile=/no/such":                ours,
		"unknown=1":                           ours,
		"uselibpqcompat=true":                 ours,
		"timezone=UTC":                        ours,
		"client_encoding=latin1":              ours,
		"search_path=a":                       with("search_path", "a"),
		"search_path=a,%22B%20c%22":           with("search_path", `a,"B c"`),
		"schema=public":                       with("search_path", `"public"`),
		"schema=a%22,b":                       with("search_path", `"a"",b"`),
		"schema=a&pgbouncer=true":             ours,
		"search_path=a&pgbouncer=true":        ours,
		"options=-c%20statement_timeout%3D5s": with("options", "-c statement_timeout=5s"),
	} {
		pool, err := database(t, "postgresql://app:pw@db/shop?connection_limit=5&"+query).AppPoolConfig()
		if err != nil || !maps.Equal(pool.ConnConfig.RuntimeParams, want) {
			t.Errorf("%s: in a pool the server gets %v, %v", query, pool, err)
		}
	}
}

func TestTheToolsOwnSessionsHaveTheirOwnSettingsWhateverTheURLSays(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "schema=a", "search_path=a", "timezone=Asia/Tokyo", "options=-c%20search_path%3Da", "pgbouncer=true&schema=a"} {
		got := conn(t, query).RuntimeParams
		want := map[string]string{"search_path": "pg_catalog", "statement_timeout": "20s", "default_transaction_read_only": "off"}
		if strings.Contains(query, "pgbouncer") {
			want = map[string]string{"search_path": ""}
		}
		maps.Copy(want, map[string]string{"application_name": "dbtasks", "DateStyle": "ISO, MDY", "TimeZone": "UTC"})
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s is %q, want %q", query, name, got[name], value)
			}
		}
	}
}

func TestPreparedStatementsFollowTheURL(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		mode     pgx.QueryExecMode
		capacity int
	}{
		"":                                      {pgx.QueryExecModeCacheStatement, 512},
		"statement_cache_size=7":                {pgx.QueryExecModeCacheStatement, 7},
		"statement_cache_size=0":                {pgx.QueryExecModeExec, 0},
		"pgbouncer=true":                        {pgx.QueryExecModeSimpleProtocol, 0},
		"pgbouncer=true&statement_cache_size=7": {pgx.QueryExecModeSimpleProtocol, 0},
		"default_query_exec_mode=describe_exec": {pgx.QueryExecModeDescribeExec, 512},
	} {
		cfg := conn(t, query)
		if cfg.DefaultQueryExecMode != want.mode || cfg.StatementCacheCapacity != want.capacity {
			t.Errorf("%s: %s with a cache of %d", query, cfg.DefaultQueryExecMode, cfg.StatementCacheCapacity)
		}
	}
}

func TestParametersOfLibpqReachTheDriver(t *testing.T) {
	t.Parallel()
	cfg := conn(t, "channel_binding=require&require_auth=scram-sha-256&krbsrvname=pg&sslnegotiation=direct&target_session_attrs=read-write&connect_timeout=3")
	if cfg.ChannelBinding != "require" || cfg.RequireAuth != "scram-sha-256" || cfg.KerberosSrvName != "pg" || cfg.SSLNegotiation != "direct" ||
		cfg.ValidateConnect == nil || cfg.ConnectTimeout != 3*time.Second {
		t.Errorf("channel binding %q, auth %q, kerberos %q, negotiation %q, timeout %s", cfg.ChannelBinding, cfg.RequireAuth, cfg.KerberosSrvName, cfg.SSLNegotiation, cfg.ConnectTimeout)
	}
	if cfg := conn(t, "connect_timeout=0"); cfg.ConnectTimeout != 5*time.Second {
		t.Errorf("for ever is %s", cfg.ConnectTimeout)
	}
	_, err := database(t, "postgresql://app:s3cret@db/shop?connection_limit=5&require_auth=s3cret").ConnConfig()
	if e := settingError(t, err); strings.Contains(e.Error(), "s3cret") {
		t.Errorf("the error shows the password: %v", e)
	}
}

func TestSeveralHostsAreTriedInTheirOrder(t *testing.T) {
	t.Parallel()
	cfg, err := database(t, "postgresql://app:pw@a:1,[::1]:2,/shop?connection_limit=5&sslmode=disable").ConnConfig()
	if err != nil {
		t.Fatal(err)
	}
	hosts := []Host{{cfg.Host, cfg.Port}}
	for _, f := range cfg.Fallbacks {
		hosts = append(hosts, Host{f.Host, f.Port})
	}
	if want := []Host{{"a", 1}, {"::1", 2}, {"localhost", 5432}}; !slices.Equal(hosts, want) {
		t.Errorf("hosts %v, want %v", hosts, want)
	}
}

func TestTheEnvironmentsPGVariablesDoNotChangeTheTarget(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for name, value := range map[string]string{
		"PGHOST": "evil", "PGPORT": "1", "PGUSER": "evil", "PGDATABASE": "evil", "PGPASSWORD": "evil", "PGSSLMODE": "verify-full",
		"PGSSLROOTCERT": "/no/such", "PGSSLCERT": "/no/such", "PGSSLKEY": "/no/such", "PGSSLCERTMODE": "evil", "PGSSLSNI": "0",
		"PGSSLNEGOTIATION": "direct", "PGAPPNAME": "evil", "PGOPTIONS": "-c evil=1", "PGTZ": "evil", "PGCONNECT_TIMEOUT": "99", "PGTARGETSESSIONATTRS": "evil",
		"PGCHANNELBINDING": "evil", "PGREQUIREAUTH": "evil", "PGMINPROTOCOLVERSION": "evil", "PGMAXPROTOCOLVERSION": "evil",
		"PGSERVICE": "evil", "PGSERVICEFILE": filepath.Join(home, "services"),
	} {
		t.Setenv(name, value)
	}
	u := database(t, "postgresql://app:pw@db/shop?connection_limit=5")
	check := func(when string) {
		t.Helper()
		pool, err := u.PoolConfig()
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		cfg := pool.ConnConfig
		if cfg.Host != "db" || cfg.Port != 5432 || cfg.User != "app" || cfg.Database != "shop" || cfg.Password != "pw" ||
			cfg.TLSConfig == nil || !cfg.TLSConfig.InsecureSkipVerify || len(cfg.TLSConfig.Certificates) != 0 || len(cfg.Fallbacks) != 1 || cfg.Fallbacks[0].TLSConfig != nil || cfg.Fallbacks[0].Host != "db" ||
			cfg.SSLCertMode != "allow" || cfg.SSLNegotiation != "" || cfg.ConnectTimeout != 5*time.Second || cfg.ValidateConnect != nil || cfg.ChannelBinding != "prefer" || cfg.RequireAuth != "" ||
			!maps.Equal(cfg.RuntimeParams, map[string]string{"application_name": "dbtasks", "client_encoding": "UTF8"}) {
			t.Errorf("%s: %s@%s:%d/%s, sslnegotiation %q, %v", when, cfg.User, cfg.Host, cfg.Port, cfg.Database, cfg.SSLNegotiation, cfg.RuntimeParams)
		}
	}
	check("a service that is not there")
	if err := os.WriteFile(filepath.Join(home, "services"), []byte("[evil]\nhost=evil\nport=1\nsslmode=disable\nservicekey=evil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a service that is there")
}

func TestWithoutAPasswordThePasswordFileIsAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(file, []byte("db:5432:shop:app:from-file\nlocalhost:5432:shop:app:from-socket\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", file)
	t.Setenv("PGPASSWORD", "")
	for url, want := range map[string]string{
		"postgresql://app@db/shop":                   "from-file",
		"postgresql://app:own@db/shop":               "own",
		"postgresql://app@other/shop":                "",
		"postgresql://app@/shop?host=/tmp":           "from-socket",
		"postgresql://app@db/shop?passfile=/no/such": "",
	} {
		u, err := parseURL(url, Origin{}, "", jsproject.ConnectionLimit)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := u.ConnConfig()
		if err != nil || cfg.Password != want {
			if runtime.GOOS == "windows" && strings.Contains(url, "host=/tmp") {
				continue // there "/tmp" is no socket's folder
			}
			t.Errorf("%s: password %q, want %q, %v", url, cfg.Password, want, err)
		}
	}
}

func TestAnotherRoleLogsInToTheSameDatabaseWithoutTheUsersPassword(t *testing.T) {
	t.Parallel()
	u := database(t, "postgresql://app:s3cret@db/my%20shop?connection_limit=5&schema=x")
	for host, raw := range map[string]string{
		"/tmp/sock": "postgresql://post%20gres@%2Ftmp%2Fsock:5433/my%20shop",
		"::1":       "postgresql://post%20gres@[::1]:5433/my%20shop",
		"db":        "postgresql://post%20gres@db:5433/my%20shop",
	} {
		other := u.As("post gres", host, 5433)
		cfg, err := other.ConnConfig()
		if err != nil || cfg.User != "post gres" || cfg.Host != host || cfg.Port != 5433 || cfg.Database != "my shop" || cfg.Password == "s3cret" {
			t.Errorf("%s: %s@%s:%d/%s, %v", host, cfg.User, cfg.Host, cfg.Port, cfg.Database, err)
		}
		if other.Raw() != raw || other.Masked() != raw || other.Limit != 1 {
			t.Errorf("%s: %s, limit %d", host, other.Raw(), other.Limit)
		}
	}
	if u.Password() != "s3cret" || u.User != "app" || u.Hosts[0].Name != "db" {
		t.Errorf("the first URL has changed: %v", u)
	}
}
