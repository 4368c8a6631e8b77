package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// applicationName marks this tool's sessions, whatever the URL or PGAPPNAME say.
const applicationName = "dbtasks"

// PoolConfig is the URL for the pool of the tool's own sessions (see
// ownParameters): never above the pool limit, nothing opened before it is asked
// for. Its error is a *SettingError.
func (u *URL) PoolConfig() (*pgxpool.Config, error) {
	cfg, err := u.AppPoolConfig()
	if err != nil {
		return nil, err
	}
	cfg.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		conn.RuntimeParams = u.ownParameters()
		return nil
	}
	return cfg, nil
}

// AppPoolConfig is the URL for a pool whose sessions have the settings that an
// application's have, search_path too. Its error is a *SettingError.
func (u *URL) AppPoolConfig() (*pgxpool.Config, error) {
	cfg, err := parse(u, pgxpool.ParseConfig)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = int32(max(1, u.Limit)), 0, 0
	cfg.ConnConfig.RuntimeParams = u.appParameters()
	return cfg, u.complete(cfg.ConnConfig)
}

// ConnConfig is the URL for one session of the tool's own. Its error is a
// *SettingError.
func (u *URL) ConnConfig() (*pgx.ConnConfig, error) {
	cfg, err := parse(u, pgx.ParseConfig)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams = u.ownParameters()
	return cfg, u.complete(cfg)
}

// parse hands the settings to one of pgx's parsers as a connection string.
func parse[T any](u *URL, parser func(string) (T, error)) (cfg T, err error) {
	set, err := u.keywords()
	if err != nil {
		return cfg, err
	}
	if os.Getenv("PGSERVICE") != "" {
		// pgx looks for the service even though everything it could say is
		// said, and fails when it is missing: an empty one stands in for it.
		file, err := emptyService()
		if err != nil {
			return cfg, err
		}
		defer os.Remove(file)
		set["service"], set["servicefile"] = applicationName, file
	}
	if cfg, err = parser(dsn(set)); err != nil {
		return cfg, u.refusedByDriver()
	}
	return cfg, nil
}

// emptyService makes a service file with one service that sets nothing.
func emptyService() (string, error) {
	file, err := os.CreateTemp("", "dbtasks-service-")
	if err != nil {
		return "", fmt.Errorf("set PGSERVICE aside: %w", err)
	}
	_, err = fmt.Fprintf(file, "[%s]\n", applicationName)
	if err := errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return "", fmt.Errorf("set PGSERVICE aside: %w", err)
	}
	return file.Name(), nil
}

// refusedByDriver stands for pgx's own error, which may quote the URL.
func (u *URL) refusedByDriver() error {
	return u.Origin.wrong("can't be used: the driver refuses one of its TLS or authentication parameters (sslcert, sslkey, sslpassword, sslnegotiation, require_auth, …)", "")
}

// As is the same server and database for another role: at host (a socket
// folder or a name) and port, without a password, also one of PGPASSWORD or
// ~/.pgpass: nobody said that it may be sent there.
func (u *URL) As(role, host string, port int) *URL {
	other := *u
	other.User, other.Limit = role, 1
	other.Hosts = []Host{{Name: host, Port: uint16(port)}}
	at := encode(host)
	if strings.Contains(host, ":") {
		at = "[" + host + "]"
	}
	hidden := secrets{
		raw:         fmt.Sprintf("postgresql://%s@%s:%d/%s", encode(role), at, port, encode(u.Database)),
		sslPassword: u.secrets().sslPassword,
	}
	other.secret = func() secrets { return hidden }
	other.Origin = Origin{Variable: AdminURL}
	other.noStored = true
	other.fewer = new(atomic.Bool)
	return &other
}

// HasPassword tells whether the URL itself has one; else PGPASSWORD and
// ~/.pgpass may be asked.
func (u *URL) HasPassword() bool { return u.secrets().password != "" }

// In is the same login to another database.
func (u *URL) In(database string) *URL {
	other := *u
	other.Database = database
	return &other
}

// Console is the same login at the console of a PgBouncer on these hosts: the
// database "pgbouncer", which speaks the simple protocol only.
func (u *URL) Console() *URL {
	other := *u
	other.Database, other.PgBouncer, other.Options, other.Limit = "pgbouncer", true, "", 1
	return &other
}

// keywords are the settings for pgx. Each that the environment (PGHOST,
// PGSSLMODE, …) or a file in ~/.postgresql could fill in is given, so that the
// URL alone decides; only without a password PGPASSWORD and ~/.pgpass are
// asked, as libpq does.
func (u *URL) keywords() (map[string]string, error) {
	var hosts, ports []string
	for _, h := range u.Hosts {
		hosts, ports = append(hosts, h.Name), append(ports, fmt.Sprint(h.Port))
	}
	set := map[string]string{
		"host": strings.Join(hosts, ","), "port": strings.Join(ports, ","), "user": u.User, "dbname": u.Database,
		"connect_timeout": fmt.Sprint(max(1, int(u.ConnectTimeout.Seconds()))), "application_name": applicationName,
		"sslmode": "prefer", "sslcert": "", "sslkey": "", "sslrootcert": "", "sslpassword": "", "sslsni": "1",
		"sslcertmode": "allow", "sslnegotiation": "", "channel_binding": "", "require_auth": "",
		"target_session_attrs": "any", "min_protocol_version": "", "max_protocol_version": "",
	}
	if password := u.secrets().password; password != "" {
		set["password"] = password
	}
	maps.Copy(set, u.passed)
	if u.noStored {
		set["password"], set["passfile"] = "", os.DevNull
	}
	return set, u.tlsKeywords(set)
}

// dsn writes settings as a connection string in keyword form.
func dsn(set map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, "%s='%s' ", name, escape.Replace(set[name]))
	}
	return b.String()
}

// complete sets what no keyword can say.
func (u *URL) complete(cfg *pgx.ConnConfig) error {
	// The driver counts the timeout for each host. Login and pool reach one.
	cfg.ConnectTimeout = u.ConnectTimeout
	switch {
	case u.PgBouncer:
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	case u.StatementCacheSize == 0:
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
		cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	case u.StatementCacheSize > 0:
		cfg.StatementCacheCapacity = u.StatementCacheSize
	}
	return u.addIdentity(cfg)
}
