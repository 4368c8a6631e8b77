//go:build linux

package faults

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// madnessFaults: each target that asks a server, before one that is silent,
// slow, endless or mad, at the login and after it. Its time and its memory have
// the bounds that safety.md states.
var madnessFaults = func() (list []fault) {
	for _, target := range []struct {
		args  string
		bound time.Duration // of its questions, after the login
	}{{"db:test", 10 * time.Second}, {"db:who", 10 * time.Second}, {"db:limits", 10 * time.Second}, {"db:cleanup -remote=DATABASE", 20 * time.Second}} {
		for _, how := range madness {
			list = append(list,
				fault{name: fmt.Sprintf("%s at the login: %s", how.name, target.args), inject: atLogin(how.talk), act: onDatabase(target.args), exit: 1, says: "127.0.0.1:",
					bound: loginBound + slack, memory: mostMemory},
				fault{name: fmt.Sprintf("%s after the login: %s", how.name, target.args), inject: afterLogin(how.talk), act: onDatabase(target.args), exit: 1, says: "127.0.0.1:",
					bound: loginBound + target.bound + slack, memory: mostMemory})
		}
	}
	return list
}()

// loginBound is connect_timeout of these rows; slack is for a busy machine.
const loginBound, slack = 2 * time.Second, 10 * time.Second

// madness are ways to talk to a client that waits for an answer. Each returns
// when the client is gone.
var madness = []struct {
	name string
	talk func(net.Conn)
}{
	{"silent", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
	{"slow", func(c net.Conn) {
		message := encoded(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: strings.Repeat("slow ", 100)})
		for _, b := range message {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}},
	{"endless notices", endless(encoded(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: hostile}))},
	{"endless rows", endless(encoded(&pgproto3.DataRow{Values: [][]byte{[]byte("1"), []byte(strings.Repeat("x", 4000))}}))},
	{"a message of 1 GB", func(c net.Conn) {
		if _, err := c.Write(binary.BigEndian.AppendUint32([]byte{'D'}, 1<<30)); err == nil {
			endless(make([]byte, 1<<16))(c)
		}
	}},
	{"another protocol", func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"+hostile)
		_, _ = io.Copy(io.Discard, c)
	}},
}

func encoded(m pgproto3.BackendMessage) []byte {
	b, _ := m.Encode(nil)
	return b
}

func endless(message []byte) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := c.Write(message); err != nil {
				return
			}
		}
	}
}

// atLogin is a server that talks so instead of letting anybody in.
func atLogin(talk func(net.Conn)) func(*scene) {
	return func(s *scene) {
		s.at(s.listen(func(c net.Conn) {
			defer c.Close()
			if startup(c) == nil {
				talk(c)
			}
		}), "connect_timeout="+fmt.Sprint(loginBound.Seconds()))
	}
}

// afterLogin is the scene's server, behind something that lets logins through
// and answers every question so.
func afterLogin(talk func(net.Conn)) func(*scene) {
	return func(s *scene) {
		server := s.server.Port
		port := s.listen(func(client net.Conn) {
			defer client.Close()
			upstream, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", server))
			if err != nil {
				return
			}
			defer upstream.Close()
			go func() { _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
			if throughLogin(upstream, client) == nil {
				talk(client)
			}
		})
		s.env["DATABASE_URL"] = replacePort(s.url(), server, port) + "&sslmode=disable&connect_timeout=" + fmt.Sprint(loginBound.Seconds())
	}
}

// throughLogin passes a server's messages on, and swallows the first that comes
// after it has said that it is ready.
func throughLogin(server, client net.Conn) error {
	for ready := false; ; {
		var head [5]byte
		if _, err := io.ReadFull(server, head[:]); err != nil {
			return err
		}
		if ready {
			return nil
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return err
		}
		if _, err := client.Write(append(head[:], body...)); err != nil {
			return err
		}
		ready = head[0] == 'Z'
	}
}

// onDatabase runs a target in which DATABASE stands for the scene's.
func onDatabase(args string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		name := s.database.Name
		if name == "" {
			name = "shop"
		}
		return s.run(strings.Fields(strings.ReplaceAll(args, "DATABASE", name))...)
	}
}
