package hostops

import "github.com/shirou/gopsutil/v4/mem"

// TotalMemory is this machine's memory in bytes; 0 where it can't be told.
func TotalMemory() int64 {
	m, err := mem.VirtualMemory()
	if err != nil {
		return 0
	}
	return int64(m.Total)
}
