// Package enginetest gives tests real container engines, Docker and Podman, on
// a machine of their own: namespaces (processes, mounts, network, host name)
// that are made for the tests of one package and vanish with it, whatever ends
// them. In there an engine has its usual places, /run/docker.sock and
// /var/lib/docker, which are empty file systems in memory; ports, bridges,
// firewall rules and accounts are the machine's own, so packages may run beside
// each other and beside a developer's own engine, which is never seen.
// A second machine, whose processes are not seen from the first, is at
// the other end of a network: Other.
//
// It needs root, Linux and the programs dockerd or podman; without them the
// tests skip and say why. With CI or DBTASKS_TEST_ENGINES set, they fail as root
// instead.
package enginetest
