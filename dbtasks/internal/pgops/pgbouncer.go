package pgops

import (
	"slices"
	"strconv"
	"time"
)

// PgBouncer is what a console tells at one moment. The console's own database,
// pool and connections are left out.
type PgBouncer struct {
	Version    string
	MaxClients int // max_client_conn, of all databases together
	Databases  []BouncerDatabase
	Pools      []BouncerPool
	Clients    []BouncerClient
	Servers    []BouncerServer
}

// BouncerDatabase is a database as its clients name it.
type BouncerDatabase struct {
	Name     string
	PoolSize int    // server connections for each of its roles at most
	Mode     string // session, transaction or statement
	Paused   bool   // PAUSE or KILL: everybody waits until RESUME
	Disabled bool   // DISABLE: logins are refused until ENABLE
}

// BouncerPool is the pool of one database and role.
type BouncerPool struct {
	Database, Role  string
	Clients         int           // logged in, idle ones too
	Waiting         int           // for a server connection, not among Clients
	Busy, Connected int           // server connections: linked to a client, and all
	Wait            time.Duration // of the client that has waited longest
}

// BouncerClient is one client connection.
type BouncerClient struct {
	Database, Role, Application string
	State                       State // StateActive: linked to a server connection; StateWaiting, StateIdle
	Addr                        string
	Port                        int           // 0: over a Unix socket
	PID                         int           // of the client over a Unix socket; 0: not told
	Connected                   time.Time     // in whole seconds
	Age                         time.Duration // since its last request, a second less: it is told in whole ones
}

// StateWaiting is a pooler's client that waits for a server connection.
const StateWaiting State = "waiting"

// BouncerServer is one connection of the pooler to a server.
type BouncerServer struct {
	BackendPID int
	LocalPort  int  // the pooler's end; 0: over a Unix socket
	InUse      bool // linked to a client: by its transaction, or in session mode as long as it is there
}

// Database is the one of that name; the zero value where there is none.
func (b PgBouncer) Database(name string) BouncerDatabase {
	for _, d := range b.Databases {
		if d.Name == name {
			return d
		}
	}
	return BouncerDatabase{}
}

// bouncerName is the database of the console, its pool and its clients.
const bouncerName = "pgbouncer"

// readBouncer reads CONFIG, DATABASES, POOLS, CLIENTS and SERVERS. A column
// that a version does not have counts as empty.
func readBouncer(shown [5][]map[string]string, now time.Time) PgBouncer {
	var b PgBouncer
	settings := map[string]string{}
	for _, row := range shown[0] {
		settings[row["key"]] = row["value"]
	}
	b.MaxClients = number(settings["max_client_conn"])
	for _, row := range shown[1] {
		d := BouncerDatabase{Name: row["name"], PoolSize: number(row["pool_size"]), Mode: row["pool_mode"],
			Paused: row["paused"] == "1", Disabled: row["disabled"] == "1"}
		if d.Mode == "" {
			d.Mode = settings["pool_mode"]
		}
		if d.Name != bouncerName {
			b.Databases = append(b.Databases, d)
		}
	}
	for _, row := range shown[2] {
		sum := func(columns ...string) (n int) {
			for _, c := range columns {
				n += number(row[c])
			}
			return n
		}
		p := BouncerPool{Database: row["database"], Role: row["user"], Clients: sum("cl_active"), Waiting: sum("cl_waiting"), Busy: sum("sv_active"),
			Connected: sum("sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"),
			Wait:      time.Duration(number(row["maxwait"]))*time.Second + time.Duration(number(row["maxwait_us"]))*time.Microsecond}
		if p.Database != bouncerName {
			b.Pools = append(b.Pools, p)
		}
	}
	for _, row := range shown[3] {
		if row["database"] != bouncerName {
			b.Clients = append(b.Clients, clientOf(row, now))
		}
	}
	for _, row := range shown[4] {
		s := BouncerServer{BackendPID: number(row["remote_pid"]), InUse: !slices.Contains([]string{"idle", "used", "tested"}, row["state"])}
		if row["local_addr"] != "unix" {
			s.LocalPort = number(row["local_port"])
		}
		b.Servers = append(b.Servers, s)
	}
	return b
}

func clientOf(row map[string]string, now time.Time) BouncerClient {
	c := BouncerClient{Database: row["database"], Role: row["user"], Application: row["application_name"], Connected: moment(row["connect_time"]), State: StateIdle}
	switch {
	case row["state"] == "waiting":
		c.State = StateWaiting
	case row["link"] != "": // "active" alone is every client that is logged in
		c.State = StateActive
	}
	if asked := moment(row["request_time"]); !asked.IsZero() {
		c.Age = max(0, now.Sub(asked)-time.Second)
	}
	if row["addr"] == "unix" {
		c.PID = number(row["remote_pid"])
	} else {
		c.Addr, c.Port = row["addr"], number(row["port"])
	}
	return c
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // a column that is not there counts as 0
	return n
}

// moment reads a time as the console writes it, in the pooler's time zone;
// zero where that is none of this machine's.
func moment(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05 MST", text, time.Local)
	if err != nil || t.Location() != time.UTC && t.Location() != time.Local {
		return time.Time{}
	}
	return t
}
