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
	{name: "latency of 300 ms with loss: cleanup", inject: func(s *scene) { s.leak = s.db().Open(2, "leak"); s.through(lossy) }, act: remoteCleanup, says: "Ended 2 idle sessions", bound: 12 * time.Second},
	{name: "a proxy is not this machine's server", inject: func(s *scene) { s.leak = s.db().Open(2, "leak"); s.through(proxy{}) }, args: "db:cleanup", exit: 3, says: "not proven to be a server of this machine", after: func(s *scene) { s.held(2) }},
	{name: "reset in the login", inject: func(s *scene) { s.through(proxy{cut: saw("SCRAM-SHA-256")}) }, args: "db:test", exit: 1, says: "127.0.0.1:"},
	{name: "reset in the middle of a statement", inject: func(s *scene) { s.through(proxy{cut: saw("pg_is_in_recovery")}) }, args: "db:test", exit: 1, says: "127.0.0.1:"},
	{name: "reset while cleanup looks", inject: leaking("cut", 1, "pg_terminate_backend"), act: remoteCleanup, exit: 1, says: "No session was ended: the connection", after: func(s *scene) { s.held(2) }},
	{name: "reset in the statement that ends", inject: leaking("cut", 2, "pg_terminate_backend"), act: remoteCleanup, exit: 1, says: `2 sessions of database "`, after: func(s *scene) { s.held(2) }},
	{name: "silence after the login", inject: func(s *scene) { s.through(proxy{mute: saw("pg_is_in_recovery")}) }, args: "db:test", exit: 1, says: "No answer from"},
	{name: "silence while cleanup looks", inject: leaking("mute", 1, "pg_terminate_backend"), act: remoteCleanup, exit: 1, says: "No session was ended: the server", bound: 27 * time.Second, after: func(s *scene) { s.held(2) }},
	{name: "silence in the statement that ends", inject: leaking("mute", 2, "pg_terminate_backend"), act: remoteCleanup, exit: 1, says: "may or may not have ended: the server", bound: 27 * time.Second, after: freed},
	{name: "silence when the sessions were told to end", inject: leaking("mute", 1, "a.pid, a.backend_start FROM"), act: remoteCleanup, exit: 1, says: "0 of 2 sessions", bound: 27 * time.Second, after: freed},
	{name: "silence while the monitor watches", inject: func(s *scene) { s.through(proxy{mute: saw("pg_stat_get_activity")}) }, args: "db:monitor -every=100ms -for=2s -json", exit: 1, says: `"error"`, bound: 15 * time.Second},
	{name: "blackholed port", inject: func(s *scene) { s.at(s.blackhole()) }, args: "db:test", exit: 1, says: "No answer from", bound: 4 * time.Second},
	{name: "blackholed port: cleanup", inject: func(s *scene) { s.at(s.blackhole()) }, args: "db:cleanup -force", exit: 1, says: "No answer from"},
	{name: "a name that does not resolve", inject: func(s *scene) { s.host("nowhere.invalid") }, args: "db:test", exit: 1, says: "does not resolve"},
	{name: "a name of several addresses, one works", inject: func(s *scene) { s.through(proxy{}); s.host("localhost") }, args: "db:test", says: "OK: logged in"},
	{name: "several hosts, the second works", inject: func(s *scene) { s.hosts(pgtest.FreePort(s.T)) }, args: "db:test", says: "OK: logged in"},
	{name: "several hosts, the first is silent", inject: func(s *scene) { s.hosts(s.blackhole()) }, args: "db:test", says: "OK: logged in"},
	{name: "another machine's address: recover", inject: func(s *scene) { s.host("192.0.2.1"); s.env["DATABASE_URL"] = s.url() + "&connect_timeout=1" }, args: "dev:recover", exit: 3, says: "is not an address of this machine"},
}

// remoteCleanup names the database, as one has to where a proxy listens.
func remoteCleanup(s *scene) outcome { return s.run("db:cleanup", "-remote="+s.db().Name) }

// saw tells once whether the client has sent these words.
func saw(words string) func([]byte) bool {
	return func(sent []byte) bool { return bytes.Contains(sent, []byte(words)) }
}

// nth tells from the nth time on whether the client has sent these words. The
// statement that ends is sent twice: the first one only looks.
func nth(n int, words string) func([]byte) bool {
	seen := 0
	return func(sent []byte) bool {
		if bytes.Contains(sent, []byte(words)) {
			seen++
		}
		return seen >= n
	}
}

// leaking has two sessions to end, behind a proxy that cuts the connection, or
// falls silent, at the nth time that the words are sent.
func leaking(act string, n int, words string) func(*scene) {
	return func(s *scene) {
		s.leak = s.db().Open(2, "leak")
		if act == "cut" {
			s.through(proxy{cut: nth(n, words)})
		} else {
			s.through(proxy{mute: nth(n, words)})
		}
	}
}

func (s *scene) host(name string) {
	s.env["DATABASE_URL"] = strings.Replace(s.url(), "@127.0.0.1:", "@"+name+":", 1)
}

// hosts puts a port that does not answer before the server's.
func (s *scene) hosts(port int) {
	s.env["DATABASE_URL"] = strings.Replace(s.url(), "@127.0.0.1:", fmt.Sprintf("@127.0.0.1:%d,127.0.0.1:", port), 1) + "&connect_timeout=2"
}
