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

	"docker-proxy": Forwarder, "rootlesskit-docker-proxy": Forwarder, "dockerd": Forwarder, "com.docker.backend": Forwarder, "com.docker.backe": Forwarder, "com.docker.vpnkit": Forwarder, "vpnkit": Forwarder, "vpnkit-bridge": Forwarder,
	"rootlessport": Forwarder, "rootlesskit": Forwarder, "slirp4netns": Forwarder, "pasta": Forwarder, "passt": Forwarder, "pasta.avx2": Forwarder, "passt.avx2": Forwarder,
	"gvproxy": Forwarder, "conmon": Forwarder, "orbstack": Forwarder, "orbstack helper": Forwarder, "wslrelay": Forwarder, "limactl": Forwarder,

	"ssh": Tunnel, "sshd": Tunnel, "autossh": Tunnel, "kubectl": Tunnel, "socat": Tunnel, "cloudflared": Tunnel,
	"cloud-sql-proxy": Tunnel, "cloud_sql_proxy": Tunnel, "flyctl": Tunnel, "stunnel": Tunnel, "haproxy": Tunnel, "session-manager-plugin": Tunnel,

	"pgbouncer": Pooler, "pgcat": Pooler, "odyssey": Pooler, "pgpool": Pooler, "supavisor": Pooler,
}

// KindOf decides by the program, not by a word somewhere in its arguments: by its
// executable's name, and by the kernel's short name (15 characters on Linux),
// which a program may choose, only where the executable is hidden. What calls
// itself postgres but runs ssh is a Tunnel.
func KindOf(p Process) ListenerKind {
	if p.Exe == "" {
		return kindOfName(p.Name)
	}
	return kindOfName(path.Base(strings.ReplaceAll(strings.TrimSuffix(p.Exe, " (deleted)"), `\`, "/")))
}

func kindOfName(name string) ListenerKind {
	name = strings.TrimSuffix(strings.ToLower(name), ".exe")
	if inner, ok := strings.CutPrefix(name, "."); ok { // NixOS: .postgres-wrapped
		name = strings.TrimSuffix(inner, "-wrapped")
	}
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
