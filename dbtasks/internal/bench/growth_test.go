//go:build unix

package bench

import (
	"fmt"
	"net"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// curve is how the cost of one job grows with its size.
type curve struct {
	job, of string // "db:cleanup", "idle sessions"
	points  []point
}

type point struct {
	size int
	cost float64 // seconds, the median of the rounds
}

var curves []curve

// grow measures one job at several sizes. before makes a size and returns what
// tidies it up.
func grow(b *testing.B, job, of string, rounds int, sizes []int, before func(b *testing.B, size int) (after func(b *testing.B)), run func(b *testing.B) float64) {
	b.Helper()
	c := curve{job: job, of: of}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%s/%d", job, size), func(b *testing.B) {
			var costs []float64
			for range rounds {
				after := before(b, size)
				costs = append(costs, run(b))
				after(b)
			}
			c.points = append(c.points, point{size, quantile(costs, 0.5)})
			b.ReportMetric(quantile(costs, 0.5)*1000, "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
	curves = append(curves, c)
}

// growths does the same jobs at ten times the size.
func growths(b *testing.B) {
	b.Run("sessions", func(b *testing.B) {
		p := newPlace(b, 2100)
		held := func(b *testing.B, n int) func(*testing.B) {
			before, after := p.idle(b, n)
			before(b)
			return after
		}
		grow(b, "db:cleanup", "idle sessions", 2, []int{20, 200, 2000}, held, p.ours(b, "db:cleanup").run)
		kept := func(b *testing.B, n int) func(*testing.B) {
			leak := pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: n})
			return func(*testing.B) { leak.Stop() }
		}
		grow(b, "db:who", "sessions", 2, []int{20, 200, 2000}, kept, p.ours(b, "db:who").run)
	})
	b.Run("sockets", func(b *testing.B) {
		p := newPlace(b, 20)
		grow(b, "db:who", "sockets of other programs", 5, []int{100, 1000, 10000}, func(b *testing.B, n int) func(*testing.B) {
			closeAll := strangers(b, n)
			return func(*testing.B) { closeAll() }
		}, p.ours(b, "db:who").run)
	})
	b.Run("processes", func(b *testing.B) {
		p := newPlace(b, 20)
		p.devServer(b)
		grow(b, "dev:stop", "processes", 3, []int{10, 50, 500}, func(b *testing.B, n int) func(*testing.B) {
			t := p.startTree(b, n-1, "sh", "dev.sh")
			return func(b *testing.B) {
				if left := t.running(b); len(left) > 0 {
					b.Fatalf("%d of %d processes still run", len(left), n)
				}
				t.end()
			}
		}, p.ours(b, "dev:stop").run)
	})
	b.Run("files", func(b *testing.B) {
		var root string
		roots := map[int]string{}
		grow(b, "dev:check", "source files", 1, []int{500, 5000, 50000}, func(b *testing.B, n int) func(*testing.B) {
			if roots[n] == "" {
				roots[n] = manyFiles(b, n, false)
			}
			root = roots[n]
			return func(*testing.B) {}
		}, func(b *testing.B) float64 {
			return command{args: []string{binary(b), "dev:check"}, dir: root, exit: 1}.run(b)
		})
	})
}

// strangers are n open sockets of another program, two a connection.
func strangers(b *testing.B, n int) (closeAll func()) {
	b.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	open := []net.Conn{}
	closeAll = func() {
		_ = listener.Close()
		for _, c := range open {
			_ = c.(*net.TCPConn).SetLinger(0) // no TIME_WAIT, which would be in the next size's way
			_ = c.Close()
		}
	}
	b.Cleanup(closeAll)
	for range n / 2 {
		for _, half := range []func() (net.Conn, error){func() (net.Conn, error) { return net.Dial("tcp4", listener.Addr().String()) }, listener.Accept} {
			c, err := half()
			if err != nil {
				b.Fatal(err)
			}
			open = append(open, c)
		}
	}
	return closeAll
}
