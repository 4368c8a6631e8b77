package hostops

import (
	"path"
	"strings"
)

// ListenerKind is what sort of program listens on a port.
type ListenerKind int

// A Forwarder hands the port to a container of this machine; a Tunnel may lead
// anywhere; a Pooler stands in front of a server that may be anywhere.
const (
	Other ListenerKind = iota
	Postgres
	Forwarder
	Tunnel
	Pooler
)

var kinds = map[string]ListenerKind{
	"postgres": Postgres, "postmaster": Postgres,

	"docker-proxy": Forwarder, "com.docker.backend": Forwarder, "com.docker.backe": Forwarder, "com.docker.vpnkit": Forwarder, "vpnkit": Forwarder, "vpnkit-bridge": Forwarder,
	"rootlessport": Forwarder, "rootlesskit": Forwarder, "slirp4netns": Forwarder, "pasta": Forwarder, "passt": Forwarder,
	"gvproxy": Forwarder, "conmon": Forwarder, "orbstack": Forwarder, "orbstack helper": Forwarder, "wslrelay": Forwarder,

	"ssh": Tunnel, "sshd": Tunnel, "autossh": Tunnel, "kubectl": Tunnel, "socat": Tunnel, "cloudflared": Tunnel,
	"cloud-sql-proxy": Tunnel, "cloud_sql_proxy": Tunnel, "flyctl": Tunnel, "stunnel": Tunnel, "haproxy": Tunnel, "session-manager-plugin": Tunnel,

	"pgbouncer": Pooler, "pgcat": Pooler, "odyssey": Pooler, "pgpool": Pooler, "supavisor": Pooler,
}

// KindOf decides by the program, not by a word somewhere in its arguments: its
// executable's name, and the kernel's short name (15 characters on Linux)
// where the executable is hidden. The two have to agree where both are known
// to be something: what calls itself postgres but runs ssh is no PostgreSQL.
func KindOf(p Process) ListenerKind {
	if p.Exe == "" {
		return kindOfName(p.Name)
	}
	return kindOfName(path.Base(strings.ReplaceAll(strings.TrimSuffix(p.Exe, " (deleted)"), `\`, "/")))
}

func kindOfName(name string) ListenerKind {
	name = strings.TrimSuffix(strings.ToLower(name), ".exe")
	if kind, ok := kinds[name]; ok {
		return kind
	}
	for known, kind := range kinds {
		if len(name) == 15 && strings.HasPrefix(known, name) { // cut off by the kernel
			return kind
		}
	}
	return Other
}
