package hostops

import (
	"encoding/binary"
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

func TestAZombieWhoseOtherThreadsStillRunIsNotGone(t *testing.T) {
	t.Parallel()
	for threads, want := range map[string]State{"0": Zombie, "1": Zombie, "7": Running} {
		p, err := parseStat([]byte("4242 (node) Z 17 4200 4200 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 " + threads + " 0 998877 0 0\n"))
		if err != nil || p.State != want {
			t.Errorf("%s threads: %v, %v, want %v", threads, p.State, err, want)
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
	if rows, err := parseNetTCP(strings.NewReader(netTCP + strings.Repeat("x", 1<<17))); err == nil || rows != nil {
		t.Errorf("a table that breaks off was read as %d rows", len(rows))
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

// The shape of sysctl kern.procargs2: count, path, padding, arguments,
// environment.
func TestMacOSArgumentsEndBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	text := "\x03\x00\x00\x00/usr/local/bin/node\x00\x00\x00\x00node\x00/srv/vite\x00dev\x00PGPASSWORD=hunter2\x00HOME=/\x00"
	args, err := parseProcArgs([]byte(text))
	if got := strings.Join(args, "|"); err != nil || got != "node|/srv/vite|dev" {
		t.Errorf("%q, %v", got, err)
	}
	title := "\x03\x00\x00\x00/usr/local/bin/node\x00\x00npm run dev\x00\x00\x00PGPASSWORD=hunter2\x00"
	if args, err := parseProcArgs([]byte(title)); err != nil || len(args) != 1 || args[0] != "npm run dev" {
		t.Errorf("%q, %v", args, err)
	}
	for _, garbage := range []string{"", "\x01", "\x01\x00\x00\x00", "\x02\x00\x00\x00/bin/x\x00x\x00", "\xff\xff\xff\xff/bin/x\x00x\x00"} {
		if args, err := parseProcArgs([]byte(garbage)); err == nil {
			t.Errorf("%q was read as %q", garbage, args)
		}
	}
}

func FuzzParseProcArgs(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00/bin/x\x00x\x00SECRET=1\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		args, err := parseProcArgs(data)
		if err == nil && len(data) >= 4 && len(args) > int(binary.LittleEndian.Uint32(data)) {
			t.Errorf("%d arguments of %d: the environment was read", len(args), binary.LittleEndian.Uint32(data))
		}
	})
}

// struct unix_diag_msg and two attributes, as Linux 6.18 sent them for the
// server's end of a connection.
func TestASocketDiagMessageIsRead(t *testing.T) {
	t.Parallel()
	const name = "/tmp/.s.PGSQL.5432\x00"
	msg := []byte{1, 1, 1, 0, 0x11, 0x22, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9}
	msg = append(msg, byte(4+len(name)), 0, 0, 0)
	msg = append(msg, name+"\x00"...) // padded to four bytes
	msg = append(msg, 8, 0, 2, 0, 0x33, 0x44, 0, 0)
	u, ok := parseUnixDiag(msg)
	if want := (unixSocket{path: "/tmp/.s.PGSQL.5432", inode: 0x2211, peer: 0x4433}); !ok || u != want {
		t.Errorf("%+v %v, want %+v", u, ok, want)
	}
	for _, garbage := range [][]byte{nil, msg[:15], append(msg[:16:16], 3, 0, 0, 0), append(msg[:16:16], 200, 0, 0, 0, 1)} {
		if u, ok := parseUnixDiag(garbage); ok {
			t.Errorf("%v was read as %+v", garbage, u)
		}
	}
}

func FuzzParseUnixDiag(f *testing.F) {
	f.Add([]byte("\x01\x01\x01\x00\x11\x22\x00\x00\x09\x09\x09\x09\x09\x09\x09\x09\x08\x00\x02\x00\x33\x44\x00\x00"))
	f.Add([]byte("\x01\x01\x01\x00\x11\x22\x00\x00\x09\x09\x09\x09\x09\x09\x09\x09\x0a\x00\x00\x00/tmp/s\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, ok := parseUnixDiag(data)
		if !ok {
			return
		}
		// What was read stands in the message, and not beyond it.
		if len(data) < 16 || u.inode != uint64(binary.LittleEndian.Uint32(data[4:])) || (u.path != "" && !strings.Contains(string(data), u.path)) {
			t.Errorf("%q read as %+v", data, u)
		}
	})
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
		{"/usr/bin/pasta.avx2", "pasta.avx2", Forwarder},
		{"/nix/store/abc-postgresql-17/bin/.postgres-wrapped", ".postgres-wrapp", Postgres},
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
