//go:build linux

package faults

import (
	"io"
	"net"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// impostorFaults: the port is taken by something that is not PostgreSQL.
var impostorFaults = []fault{
	{name: "speaks HTTP", inject: impostor(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = c.Close() }), args: "db:test", exit: 1, says: "does not speak PostgreSQL's protocol"},
	{name: "says nothing", inject: impostor(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), args: "db:test", exit: 1, says: "No answer from", bound: 4 * time.Second},
	{name: "closes at once", inject: impostor(func(c net.Conn) { _ = c.Close() }), args: "db:test", exit: 1, says: "closes it without a word"},
	{name: "resets at once", inject: impostor(reset), args: "db:test", exit: 1, says: "127.0.0.1:"},
	{name: "sends garbage", inject: impostor(func(c net.Conn) {
		_, _ = io.WriteString(c, strings.Repeat("\x00\xff\x7fgarbage", 500))
		_, _ = io.Copy(io.Discard, c)
	}), args: "db:test", exit: 1, says: "127.0.0.1:", bound: 4 * time.Second},
	{name: "promises a message of 2 GB", inject: impostor(func(c net.Conn) { _, _ = io.WriteString(c, "R\x7f\xff\xff\xff"); _, _ = io.Copy(io.Discard, c) }), args: "db:test", exit: 1, says: "127.0.0.1:", bound: 4 * time.Second},
	{name: "trickles a byte a second", inject: impostor(trickle), args: "db:test", exit: 1, says: "No answer from", bound: 4 * time.Second},
	{name: "says nothing: cleanup refuses", inject: impostor(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), args: "db:cleanup -force", exit: 1, says: "No answer from", bound: 6 * time.Second},
	{name: "speaks HTTP: recover refuses", inject: impostor(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = c.Close() }), args: "dev:recover", exit: 3, says: "not proven to be a server of this machine"},
	{name: "nothing listens", inject: func(s *scene) { s.at(pgtest.FreePort(s.T)) }, args: "db:test", exit: 1, says: "Nothing accepts connections"},
	{name: "nothing listens: monitor", inject: func(s *scene) { s.at(pgtest.FreePort(s.T)) }, args: "db:monitor -once", exit: 1, says: "Nothing accepts connections"},
	{name: "another PostgreSQL on the port", inject: func(s *scene) {
		s.env["DATABASE_URL"] = common.URL(s.db().Role, s.db().Password, "somewhere_else", "connection_limit=5")
	}, args: "db:cleanup -force", exit: 1, says: "has no database"},
}

// impostor listens where the URL says, and treats each client so.
func impostor(serve func(net.Conn)) func(*scene) {
	return func(s *scene) { s.at(s.listen(serve)) }
}

// listen is a listener of this process; its connections end with the row.
func (s *scene) listen(serve func(net.Conn)) (port int) {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// trickle begins a message that PostgreSQL may send, and never gets far.
func trickle(c net.Conn) {
	for _, b := range []byte("N\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00") {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}
