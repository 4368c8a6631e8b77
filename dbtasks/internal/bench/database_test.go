//go:build unix

package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// endIdle is the statement that people keep in their notes.
const endIdle = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'`

// untilGone repeats it until nobody is left, which is what db:cleanup reports.
const untilGone = `while [ "$("$PSQL" "$URL" -XAtc "` + endIdle + `")" != 0 ]; do :; done`

func cleanups(b *testing.B) {
	p := newPlace(b, 2100)
	for _, n := range []int{20, 100, 500, 2000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			before, after := p.idle(b, n)
			record(measure(b, pair{
				name: "cleanup/" + strconv.Itoa(n), job: fmt.Sprintf("end %d idle sessions, verified gone", n), rounds: max(6, 10-n/50), before: before, after: after,
				ours: p.ours(b, "db:cleanup"), theirs: p.shell(b, "one psql statement, repeated until they are gone", untilGone),
				floor: &side{"the server's own time", p.ended}, aim: 1, lost: 1.35,
				why: "ours looks first whose sessions they are, for what it spares and names, and asks afterwards what is left; tried: one statement for all, the machine looked at beside the login, the function behind pg_stat_activity, looks timed by the rate at which the sessions end",
			}))
		})
	}
	b.Run("npm", func(b *testing.B) {
		before, after := p.idle(b, 20)
		p.write(b, "package.json", `{"name":"shop","private":true,"scripts":{"dev":"sh dev.sh","db:cleanup":"\"$PSQL\" \"$URL\" -XAtc \"`+strings.ReplaceAll(endIdle, `"`, `\"`)+`\""}}`)
		record(measure(b, pair{
			name: "cleanup/npm", job: "end 20 idle sessions", rounds: 10, before: before, ours: p.ours(b, "db:cleanup"),
			after: func(b *testing.B) {
				pgtest.Eventually(b, 5*time.Second, "they are gone", func() bool { return p.left(b) == 0 })
				after(b)
			},
			theirs: command{args: []string{installed(b, "npm"), "run", "-s", "db:cleanup"}, dir: p.project, env: p.shellEnv(b)}.side("npm run, around psql"), aim: 0.25, lost: 0.35, why: "most of it is the server's time to end the sessions, on either side",
		}))
	})
}

func tests(b *testing.B) {
	p := newPlace(b, 20)
	record(measure(b, pair{
		name: "test", job: "can the database be reached", rounds: 20, ours: p.ours(b, "db:test"),
		theirs: p.shell(b, "psql -c 'select 1'", `exec "$PSQL" "$URL" -XAtc 'select 1'`), aim: 0.6, lost: 1,
		why: "a login (the server's process, the password's hashing) costs both the same, and ours asks for slots and limits as well; tried: a static program, expressions compiled when they are used, a login that goes on where TLS was refused, the function behind pg_stat_activity",
	}))
}

// fulls: every slot is taken, the reserved ones too.
func fulls(b *testing.B) {
	p := newPlace(b, 30)
	restart := fmt.Sprintf(`%s restart -D %s -m fast -w -s -l /dev/null >/dev/null && until "$PSQL" "$URL" -XAtc 'select 1' 2>/dev/null; do :; done`,
		filepath.Join(pgtest.Binaries(b).Dir, "pg_ctl"), p.DataDir)
	var leaks []*pgtest.Leak
	record(measure(b, pair{
		name: "full", job: "from no slot at all to the first query (ours: to all idle sessions gone)", rounds: 8,
		before: func(b *testing.B) {
			pgtest.Eventually(b, 10*time.Second, "the server is up and empty", func() bool { return p.Sessions(p.db.Name) == 0 })
			leaks = []*pgtest.Leak{
				pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: 27}),
				pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.AdminURL("postgres"), Sessions: 3}),
			}
		},
		after: func(b *testing.B) {
			for _, l := range leaks {
				l.Stop()
			}
		},
		ours:   p.ours(b, "db:cleanup"),
		theirs: p.asServer(b, "pg_ctl restart -m fast, until a login works", restart), aim: 0.3, lost: 0.6,
		why: "ours ends all idle sessions and sees them gone, where the restart only begins anew; tried: one look at the sockets for all rungs, no door tried twice, four backends signalled where it were seven, their end awaited before the next login",
	}))
}

// asServer is a line of sh that runs as the account of the server.
func (p *place) asServer(b *testing.B, name, line string) side {
	b.Helper()
	c := command{args: []string{"sh", "-c", line}, dir: "/", env: p.shellEnv(b)}
	return side{name, func(b *testing.B) float64 {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		cmd := c.prepare(ctx)
		become(b, cmd, p.Account)
		// The server that pg_ctl starts keeps what it inherits: no pipes then.
		began := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
		return time.Since(began).Seconds()
	}}
}

func holders(b *testing.B) {
	p := newPlace(b, 1100)
	lsof, ss := installed(b, "lsof"), installed(b, "ss")
	for _, o := range []struct {
		n            int
		lsof, joined float64 // from where a gain counts as lost
	}{{50, 2, 1}, {1000, 0.7, 0.8}} {
		n := o.n
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			leak := pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: n})
			defer leak.Stop()
			who := p.ours(b, "db:who")
			record(measure(b, pair{
				name: "who/lsof/" + strconv.Itoa(n), job: fmt.Sprintf("who holds %d sessions", n), rounds: 6, ours: who,
				theirs: p.shell(b, "lsof -nP -iTCP:port", lsof+` -nP -iTCP:$DB_PORT >/dev/null`), aim: 0.5, lost: o.lsof,
				why: whyWho,
			}))
			record(measure(b, pair{
				name: "who/ss/" + strconv.Itoa(n), job: fmt.Sprintf("who holds %d sessions", n), rounds: 6, ours: who,
				theirs: p.shell(b, "pg_stat_activity joined with ss -tnp", joined(ss)), aim: 0.5, lost: o.joined, why: whyWho,
			}))
		})
	}
}

const whyWho = "ours starts, logs in, asks for every session and names each holder with its folder, parents and ports; tried: the machine looked at beside the login, sockets asked of the kernel (netlink) and not read from /proc/net, the descriptors of kernel threads and of the server's own backends left out"

// joined is db:who as a line of shell: what the server says of a client's port
// beside what the kernel says of that port.
func joined(ss string) string {
	return `"$PSQL" "$URL" -XAtF' ' -c "SELECT client_port, pid, state, usename, application_name FROM pg_stat_activity WHERE client_port > 0 ORDER BY client_port" | sort > sessions.txt
` + ss + ` -Htnp "dport = :$DB_PORT" | awk '{n = split($4, a, ":"); print a[n], $6}' | sort > sockets.txt
join sessions.txt sockets.txt > joined.txt; test -s joined.txt`
}

func startups(b *testing.B) {
	list := command{args: []string{binary(b), "-l"}}.side("the runbook's list of targets (-l)")
	b.Run("node", func(b *testing.B) {
		record(measure(b, pair{name: "startup/node", job: "start of the program", rounds: 20, ours: list, theirs: command{args: []string{installed(b, "node"), "-e", "0"}}.side("node -e 0"), aim: 1, lost: 1}))
	})
	b.Run("psql", func(b *testing.B) {
		record(measure(b, pair{name: "startup/psql", job: "start of the program", rounds: 20, ours: list, theirs: command{args: []string{psql(b), "--version"}}.side("psql --version"), aim: 1, lost: 1.5,
			why: "both are the kernel's time to map a program; tried: a static program, expressions compiled when they are used"}))
	})
}
