//go:build unix && !linux

package hostops

func send(id Identity, signal string) error { return sendByPID(id, signal) }
