//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// proxy is a network of the row's own between the tool and the server.
type proxy struct {
	delay time.Duration // of each packet, each way
	every int           // one of so many packets is lost and sent again; 0: none
	again time.Duration // after which it is
	// cut sees what the client sent and ends the connection there: true.
	cut func(sent []byte) bool
	// mute is true from the moment on when nothing comes back any more.
	mute func(sent []byte) bool
}

// through puts a proxy between the tool and the scene's server.
func (s *scene) through(p proxy) {
	s.Helper()
	port := s.listen(func(client net.Conn) { p.serve(client, s.server.Port) })
	s.env["DATABASE_URL"] = fmt.Sprintf("%s&connect_timeout=5", replacePort(s.url(), s.server.Port, port))
}

func replacePort(url string, from, to int) string {
	return string(bytes.Replace([]byte(url), fmt.Appendf(nil, ":%d/", from), fmt.Appendf(nil, ":%d/", to), 1))
}

func (p proxy) serve(client net.Conn, port int) {
	defer client.Close()
	server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer server.Close()
	muted := make(chan struct{})
	back := make(chan struct{})
	go func() {
		defer close(back)
		p.pass(server, client, func([]byte) bool {
			select {
			case <-muted:
				<-time.After(time.Minute)
			default:
			}
			return true
		})
		_ = client.Close()
	}()
	quiet := false
	p.pass(client, server, func(sent []byte) bool {
		if p.mute != nil && !quiet && p.mute(sent) {
			quiet = true
			close(muted)
		}
		if p.cut != nil && p.cut(sent) {
			reset(client)
			return false
		}
		return true
	})
	_ = server.Close()
	<-back
}

// pass carries packets one way until an end is closed or look says no.
func (p proxy) pass(from, to net.Conn, look func([]byte) bool) {
	buf := make([]byte, 32<<10)
	for n := 1; ; n++ {
		size, err := from.Read(buf)
		if err != nil || !look(buf[:size]) {
			return
		}
		time.Sleep(p.delay)
		if p.every > 0 && n%p.every == 0 {
			time.Sleep(p.again)
		}
		if _, err := to.Write(buf[:size]); err != nil {
			return
		}
	}
}

// blackhole is a port whose connections are never established: its queue is
// full, and what comes on top is dropped, as a firewall does.
func (s *scene) blackhole() (port int) {
	s.Helper()
	return s.drop(syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
}

// silent is a blackhole at the server's port of another address.
func (s *scene) silent(address ...byte) {
	s.Helper()
	s.drop(syscall.SockaddrInet4{Addr: [4]byte(address), Port: s.server.Port})
}

func (s *scene) drop(at syscall.SockaddrInet4) (port int) {
	s.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	s.must(err)
	s.Cleanup(func() { _ = syscall.Close(fd) })
	s.must(os.NewSyscallError("bind", syscall.Bind(fd, &at)))
	s.must(os.NewSyscallError("listen", syscall.Listen(fd, 0)))
	bound, err := syscall.Getsockname(fd)
	s.must(err)
	address := bound.(*syscall.SockaddrInet4)
	for range 3 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", net.IP(address.Addr[:]), address.Port), 200*time.Millisecond)
		if err == nil {
			s.Cleanup(func() { _ = c.Close() })
		}
	}
	return address.Port
}
