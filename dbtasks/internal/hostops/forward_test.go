package hostops

import (
	"fmt"
	"strings"
	"testing"
)

// Lines as Docker 20.10 and 28, Podman 4.3 (conmon) and 5 (pasta) have them.
func TestAForwardersCommandLineIsRead(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0123456789abcdef", 4)
	for line, want := range map[string]string{
		"/usr/sbin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port 25432 -container-ip 172.17.0.2 -container-port 5432":        "127.0.0.1:25432 172.17.0.2:5432",
		"/usr/bin/docker-proxy -proto tcp -host-ip :: -host-port 25432 -container-ip 172.17.0.2 -container-port 5432 -use-listen-fd": "[::]:25432 172.17.0.2:5432",
		"/usr/sbin/docker-proxy -proto udp -host-ip 0.0.0.0 -host-port 53 -container-ip 172.17.0.2 -container-port 53":               "",
		"/usr/sbin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port x -container-ip 172.17.0.2 -container-port 5432":            "",
		"/usr/sbin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port":                                                            "",
		"rootlesskit-docker-proxy -container-ip 172.17.0.2 -container-port 5432 -host-ip 127.0.0.1 -host-port 25432 -proto tcp":      "127.0.0.1:25432 172.17.0.2:5432",
		"/usr/bin/conmon --api-version 1 -c " + id + " -u " + id + " -r /usr/bin/crun":                                               "id",
		"/usr/bin/conmon --version": "",
		"/usr/bin/pasta --config-net -t 127.0.0.1/25432-25432:5432-5432 --dns-forward 169.254.1.1 -u none --netns /run/user/1000/netns/n": "127.0.0.1:25432 ? 5432",
		"/usr/bin/pasta --config-net -t 25432:5432": "[::]:25432 ? 5432",
		"/usr/bin/pasta --config-net -t none":       "",
		"/usr/bin/slirp4netns --disable-host-loopback -c -e 3 -r 4 --netns-type=path /run/user/1000/netns/n tap0": "",
		"rootlessport": "",
		"/usr/bin/vim docker-proxy -host-ip 127.0.0.1 -host-port 1 -container-ip 172.17.0.2 -container-port 2": "",
		"": "",
	} {
		args := strings.Fields(line)
		p := Process{Args: args}
		f, ok := ForwardOf(p)
		got := ""
		switch {
		case ok && f.ID == id:
			got = "id"
		case ok && f.Container.Addr().IsValid():
			got = f.Host.String() + " " + f.Container.String()
		case ok:
			got = f.Host.String() + fmt.Sprintf(" ? %d", f.Container.Port())
		}
		if got != want {
			t.Errorf("%s:\n%q, want %q", line, got, want)
		}
	}
}

func TestAControlGroupNamesItsContainer(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0123456789abcdef", 4)
	for cgroup, want := range map[string]string{
		"12:pids:/docker/" + id + "\n0::/docker/" + id + "\n":                                              "docker",
		"0::/system.slice/docker-" + id + ".scope\n":                                                       "docker",
		"0::/machine.slice/libpod-" + id + ".scope/container\n":                                            "podman",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-payload-" + id + "\n":          "podman",
		"0::/docker/" + id + "/kubelet/kubepods/pod1/cri-containerd-" + strings.Repeat("f", 64) + ".scope": "docker",
		"0::/machine.slice/libpod-conmon-" + id + ".scope\n":                                               "",
		"0::/system.slice/docker.service\n":                                                                "",
		"":                                                                                                 "",
	} {
		engine, got := ContainerOf(cgroup)
		if engine != want || (got == id) != (want != "") {
			t.Errorf("%q: %q %q", cgroup, engine, got)
		}
	}
}
