//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

var slow = proxy{delay: 150 * time.Millisecond}

var lossy = proxy{delay: 150 * time.Millisecond, every: 5, again: 300 * time.Millisecond}

// networkFaults: slow, lossy, cut, silent.
var networkFaults = []fault{
	{name: "latency of 300 ms", inject: func(s *scene) { s.through(slow) }, args: "db:test", says: "OK: logged in"},
	{name: "latency of 300 ms with loss", inject: func(s *scene) { s.through(lossy) }, args: "db:test", says: "OK: logged in"},
	{name: "latency of 300 ms with loss: cleanup", inject: func(s *scene) { s.leak = s.db.Open(2, "leak"); s.through(lossy) }, act: remoteCleanup, says: "Ended 2 idle sessions", bound: 12 * time.Second},
	{name: "a proxy is not this machine's server", inject: func(s *scene) { s.leak = s.db.Open(2, "leak"); s.through(proxy{}) }, args: "db:cleanup", exit: 3, says: "not proven to be a server of this machine", after: func(s *scene) { s.held(2) }},
	{name: "reset in the login", inject: func(s *scene) { s.through(proxy{cut: saw("SCRAM-SHA-256")}) }, args: "db:test", exit: 1, says: "127.0.0.1:"},
	{name: "reset in the middle of a statement", inject: func(s *scene) { s.through(proxy{cut: saw("pg_is_in_recovery")}) }, args: "db:test", exit: 1, says: "127.0.0.1:"},
	{name: "reset in the statement that ends", inject: func(s *scene) { s.leak = s.db.Open(2, "leak"); s.through(proxy{cut: saw("pg_terminate_backend")}) }, act: remoteCleanup, exit: 1, says: "end sessions", after: func(s *scene) { s.held(2) }},
	{name: "silence after the login", inject: func(s *scene) { s.through(proxy{mute: saw("pg_is_in_recovery")}) }, args: "db:test", exit: 1, says: "No answer from"},
	{name: "silence in the statement that ends", inject: func(s *scene) { s.leak = s.db.Open(2, "leak"); s.through(proxy{mute: saw("pg_terminate_backend")}) }, act: remoteCleanup, exit: 1, says: "deadline exceeded", bound: 25 * time.Second},
	{name: "silence while the monitor watches", inject: func(s *scene) { s.through(proxy{mute: saw("pg_stat_activity")}) }, args: "db:monitor -every=100ms -for=2s -json", exit: 1, says: `"error"`, bound: 15 * time.Second},
	{name: "blackholed port", inject: func(s *scene) { s.at(s.blackhole()) }, args: "db:test", exit: 1, says: "No answer from", bound: 4 * time.Second},
	{name: "blackholed port: cleanup", inject: func(s *scene) { s.at(s.blackhole()) }, args: "db:cleanup -force", exit: 1, says: "No answer from"},
	{name: "a name that does not resolve", inject: func(s *scene) { s.host("nowhere.invalid") }, args: "db:test", exit: 1, says: "does not resolve"},
	{name: "a name of several addresses, one works", inject: func(s *scene) { s.through(proxy{}); s.host("localhost") }, args: "db:test", says: "OK: logged in"},
	{name: "several hosts, the second works", inject: func(s *scene) { s.hosts(pgtest.FreePort(s.T)) }, args: "db:test", says: "OK: logged in"},
	{name: "several hosts, the first is silent", inject: func(s *scene) { s.hosts(s.blackhole()) }, args: "db:test", says: "OK: logged in"},
	{name: "another machine's address: recover", inject: func(s *scene) { s.host("192.0.2.1"); s.env["DATABASE_URL"] += "&connect_timeout=1" }, args: "dev:recover", exit: 3, says: "is not an address of this machine"},
}

// remoteCleanup names the database, as one has to where a proxy listens.
func remoteCleanup(s *scene) outcome { return s.run("db:cleanup", "-remote="+s.db.Name) }

// saw tells once whether the client has sent these words.
func saw(words string) func([]byte) bool {
	return func(sent []byte) bool { return bytes.Contains(sent, []byte(words)) }
}

func (s *scene) host(name string) {
	s.env["DATABASE_URL"] = strings.Replace(s.env["DATABASE_URL"], "@127.0.0.1:", "@"+name+":", 1)
}

// hosts puts a port that does not answer before the server's.
func (s *scene) hosts(port int) {
	s.env["DATABASE_URL"] = strings.Replace(s.env["DATABASE_URL"], "@127.0.0.1:", fmt.Sprintf("@127.0.0.1:%d,127.0.0.1:", port), 1) + "&connect_timeout=2"
}
