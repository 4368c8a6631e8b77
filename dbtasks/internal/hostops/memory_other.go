//go:build !linux

package hostops

// PrivateMemory is not told here.
func PrivateMemory(int) (bytes int64, ok bool) { return 0, false }
