//go:build linux

package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// common is the server of all rows that do it no harm, and bystanders are
// sessions of a database there that is no row's.
var (
	common       *pgtest.Server
	bystanders   []*pgx.Conn
	bystandersMu sync.Mutex
)

// scene is one row's world: a project, settings, a database, and beside them
// another project's server on a dev port.
type scene struct {
	*testing.T
	row       *row
	dir       string // holds all that follows
	project   string
	tmp       string // the tool's TMPDIR
	ports     int    // the first of three dev ports; the bystander listens on the last
	server    *pgtest.Server
	database  pgtest.Database // see db
	env       map[string]string
	spoilt    bool   // the row has altered its role or database
	unset     bool   // DATABASE_URL is not in the tool's environment
	marker    string // in the environment of the tool and of all that it starts
	neighbour *standin
	leak      []*pgx.Conn   // sessions of the scene's database that nobody uses
	others    []*pgx.Conn   // bystanders on a server of the scene's own
	ended     bool          // the fault itself ends every session of that server
	account   *account      // that the tool and the project's processes run as; nil: ours
	foreign   []string      // files that belong to somebody else
	thaw      func()        // wakes what the row froze; nil: nothing
	heir      *standin      // a process of the row that must survive
	output    *lockedBuffer // of the tool that runs in the background
}

func newScene(t *testing.T, r *row, as *account) *scene {
	s := &scene{T: t, row: r, marker: "FAULT_SCENE=" + rand.Text(), server: common, ports: devPorts(), account: as}
	s.dir = t.TempDir()
	s.must(os.Chmod(filepath.Dir(s.dir), 0o755)) // other accounts come in here
	s.project, s.tmp = filepath.Join(s.dir, "shop"), filepath.Join(s.dir, "tmp")
	for _, dir := range []string{s.project, s.tmp, filepath.Join(s.dir, "home"), filepath.Join(s.dir, "neighbour")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("package.json", `{"name":"shop","scripts":{"dev":"exit 0"}}`)
	s.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": filepath.Join(s.dir, "home"), "TMPDIR": s.tmp, "LANG": "C.UTF-8",
		"DBTASKS_PORTS": fmt.Sprintf("%d-%d", s.ports, s.ports+2)}
	s.neighbour = s.start(filepath.Join(s.dir, "neighbour"), "listen", "PORT="+strconv.Itoa(s.ports+2))
	return s
}

// spare are databases of the common server that earlier rows have no use for
// any more: to make and remove one for each row would take longer than all else.
var spare struct {
	sync.Mutex
	list []pgtest.Database
}

// giveBack leaves the scene's database to a later row, once nobody is in it.
func (s *scene) giveBack() {
	if s.server != common || s.spoilt || s.database.Name == "" || s.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for _, c := range s.leak {
		_ = c.Close(ctx)
	}
	admin, err := pgx.Connect(ctx, common.AdminURL("postgres"))
	if err != nil {
		return
	}
	defer admin.Close(ctx)
	for empty := false; !empty; {
		if admin.QueryRow(ctx, "SELECT count(*) = 0 FROM pg_stat_activity, pg_sleep(0.01) WHERE datname = $1", s.database.Name).Scan(&empty) != nil {
			return
		}
	}
	spare.Lock()
	defer spare.Unlock()
	spare.list = append(spare.list, s.database)
}

// newDatabase has a password that needs escaping wherever it may be put.
func (s *scene) newDatabase() pgtest.Database {
	spare.Lock()
	if n := len(spare.list); s.server == common && n > 0 {
		db := spare.list[n-1]
		spare.list = spare.list[:n-1]
		spare.Unlock()
		return db
	}
	spare.Unlock()
	id := strings.ToLower(rand.Text()[:8])
	return s.server.NewNamedDatabase("shop_"+id, "app_"+id, s.secret(`p@ss:w/#? "'%$&`))
}

// secret is a password that nothing may ever show: the watch looks for its
// random part, which is the same however the rest is escaped.
func (s *scene) secret(prefix string) string {
	core := rand.Text()
	secrets.add(core)
	return prefix + core
}

// db is the scene's database, made when it is asked for: most of the table's
// time would be theirs.
func (s *scene) db() pgtest.Database {
	s.Helper()
	if s.database.Name == "" {
		s.use(s.newDatabase())
	}
	return s.database
}

// use makes a database that of DATABASE_URL.
func (s *scene) use(db pgtest.Database) {
	s.database = db
	s.env["DATABASE_URL"] = db.URL("connection_limit=5")
}

// alter runs a statement about the scene's role or database.
func (s *scene) alter(statement, name string) {
	s.Helper()
	s.spoilt = true
	s.server.Exec(fmt.Sprintf(statement, pgx.Identifier{name}.Sanitize()))
}

// own gives the scene a server of its own, with a bystander's sessions.
func (s *scene) own(o pgserver.DisposableOptions) {
	s.server = pgtest.Start(s.T, o)
	secrets.add(s.server.SuperuserPassword)
	s.use(s.newDatabase())
	s.others = s.server.NewDatabase().Open(1, "bystander")
}

func (s *scene) write(name, text string) string {
	s.Helper()
	path := filepath.Join(s.project, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
	return path
}

// at is a DATABASE_URL for something that is not the scene's server.
func (s *scene) at(port int, params ...string) {
	s.env["DATABASE_URL"] = fmt.Sprintf("postgresql://app:%s@127.0.0.1:%d/shop?connection_limit=1&connect_timeout=1%s", s.secret("x"), port, strings.Join(append([]string{""}, params...), "&"))
}

// url is the scene's DATABASE_URL.
func (s *scene) url() string {
	s.Helper()
	if s.env["DATABASE_URL"] == "" {
		s.db()
	}
	return s.env["DATABASE_URL"]
}

// environ is the tool's environment.
func (s *scene) environ() []string {
	s.Helper()
	if !s.unset {
		s.url()
	}
	list := []string{s.marker}
	for name, value := range maps.All(s.env) {
		if name != "DATABASE_URL" || !s.unset {
			list = append(list, name+"="+value)
		}
	}
	return list
}

var nextPorts atomic.Int64

// devPorts are three free ports in a row, below those of pgtest.FreePort.
func devPorts() int {
	const first, span = 12000, 7500
	for {
		port := first + (os.Getpid()*64+int(nextPorts.Add(1))*3)%span
		free := true
		for i := range 3 {
			l, err := net.Listen("tcp", fmt.Sprintf(":%d", port+i))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return port
		}
	}
}
