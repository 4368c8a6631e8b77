//go:build !linux

package pgserver

// stderrFile is known on Linux only.
func stderrFile(int) string { return "" }
