//go:build !linux

package pgserver

func cgroupOf(int) string { return "" }
