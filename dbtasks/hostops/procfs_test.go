package hostops

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAProcessNameMayHoldSpacesAndParentheses(t *testing.T) {
	t.Parallel()
	p, err := parseStat([]byte("4242 (a) b (c) T 17 4200 4200 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 998877 0 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != 4242 || p.Name != "a) b (c" || p.PPID != 17 || p.PGID != 4200 || p.Started != 998877 || p.State != Stopped {
		t.Errorf("%+v", p)
	}
	for _, garbage := range []string{"", "4242", "x (y) R 1", "1 )( R 1 1 1", "0 (x) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0"} {
		if p, err := parseStat([]byte(garbage)); err == nil {
			t.Errorf("%q was read as %+v", garbage, p)
		}
	}
}

func TestARewrittenTitleIsOneArgument(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"node\x00/srv/vite.js\x00dev\x00":                                    "node|/srv/vite.js|dev",
		"npm run dev\x00\x00\x00\x00\x00":                                    "npm run dev",
		"postgres: app shop 127.0.0.1(51000) idle                  \x00\x00": "postgres: app shop 127.0.0.1(51000) idle",
		"": "",
	} {
		if got := strings.Join(parseCmdline([]byte(text)), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Captured on Linux 6.18: a listener on 127.0.0.1:5432, one on [::]:3000, a
// client of 5432 over IPv4 and one over a v4-mapped IPv6 socket, and a socket
// in TIME_WAIT, which nobody holds.
const netTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 24001 1 0000000000000000 100 0 0 10 0
   1: 0100007F:C5DC 0100007F:1538 01 00000000:00000000 02:00000A1B 00000000  1000        0 24007 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:C5DE 0100007F:1538 06 00000000:00000000 03:00000A1B 00000000     0        0 0 3 0000000000000000
`

const netTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 25001 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:C600 0000000000000000FFFF00000100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 25002 1 0000000000000000 20 0 0 10 -1
   2: 00000000000000000000000001000000:0BB9 00000000000000000000000001000000:C700 08 00000000:00000000 00:00000000 00000000  1000        0 25003 1 0000000000000000 20 0 0 10 -1
`

func TestTheTablesOfTCPSocketsAreRead(t *testing.T) {
	t.Parallel()
	var s Sockets
	for _, text := range []string{netTCP, netTCP6} {
		rows, err := parseNetTCP(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		s.tcp = append(s.tcp, rows...)
	}
	s.holders = map[uint64][]int{24007: {777}, 25001: {800, 801}, 25002: {778}}
	listeners := s.Listeners()
	if len(listeners) != 3 || listeners[0].PID != 0 || listeners[0].UID != 106 || listeners[1].PID != 800 || listeners[2].PID != 801 {
		t.Errorf("listeners %+v: want the hidden one, and both holders of the shared one", listeners)
	}
	if want := netip.MustParseAddrPort("127.0.0.1:5432"); listeners[0].Addr != want {
		t.Errorf("%s, want %s", listeners[0].Addr, want)
	}
	if want := netip.MustParseAddrPort("[::]:3000"); listeners[1].Addr != want {
		t.Errorf("%s, want %s", listeners[1].Addr, want)
	}
	clients := s.Connections(5432)
	if len(clients) != 2 || clients[0].PID != 777 || clients[1].PID != 778 || clients[1].Local != netip.MustParseAddrPort("127.0.0.1:50688") {
		t.Errorf("clients %+v", clients)
	}
	if _, err := parseNetTCP(strings.NewReader("header\n 0: zz:1 0:0 0A a b c 1 2 3 4\n")); err == nil {
		t.Error("garbage was read as a table")
	}
}

func FuzzParseNetTCP(f *testing.F) {
	f.Add(netTCP)
	f.Add(netTCP6)
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseNetTCP(strings.NewReader(text))
		if err != nil && rows != nil {
			t.Error("a table half read")
		}
		for _, r := range rows {
			if !r.local.IsValid() || r.local.Addr().Is4In6() {
				t.Errorf("address %s", r.local)
			}
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add("4242 (a) b (c) T 17 4200 4200 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 998877 0 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseStat([]byte(text)); err == nil && (p.PID < 1 || !strings.Contains(text, "("+p.Name+")")) {
			t.Errorf("%q read as %+v", text, p)
		}
	})
}

func TestSecretsOnCommandLinesAreMasked(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"psql postgresql://app:hunter2@localhost/shop": "psql postgresql://app:***@localhost/shop",
		"/usr/bin/node /srv/app/server.js":             "node server.js",
		"job --password=hunter2 --token:abc -x":        "job --password=*** --token:*** -x",
		"env PGPASSWORD=hunter2 psql":                  "env PGPASSWORD=*** psql",
	} {
		if got := (Process{Args: strings.Fields(line)}).Command(); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := (Process{Args: []string{strings.Repeat("a", 500)}}).Command(); len([]rune(got)) != commandWidth {
		t.Errorf("%d characters", len([]rune(got)))
	}
}

func TestAListenerIsKnownByItsProgramAndNotByAWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		exe, name string
		want      ListenerKind
	}{
		{"/usr/lib/postgresql/15/bin/postgres", "postgres", Postgres},
		{"", "postgres", Postgres},
		{"/usr/bin/docker-proxy", "docker-proxy", Forwarder},
		{"/Applications/Docker.app/Contents/MacOS/com.docker.backend", "com.docker.backend", Forwarder},
		{"", "com.docker.back", Forwarder},
		{"/Applications/OrbStack.app/Contents/MacOS/OrbStack Helper", "OrbStack Helper", Forwarder},
		{`C:\Program Files\PostgreSQL\17\bin\postgres.exe`, "postgres.exe", Postgres},
		{"/usr/bin/ssh", "ssh", Tunnel},
		{"/usr/bin/ssh", "postgres", Tunnel}, // calls itself postgres, runs ssh
		{"", "cloud-sql-proxy", Tunnel},
		{"/usr/sbin/pgbouncer", "pgbouncer", Pooler},
		{"/usr/bin/node", "node", Other},
		{"/home/me/postgres/server", "server", Other},
	} {
		if got := KindOf(Process{Exe: c.exe, Name: c.name, Args: []string{"postgres", "ssh"}}); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.exe, c.name, got, c.want)
		}
	}
}
