package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ports are the TCP ports of dev servers, as they were written: ranges, a single
// port being one of itself. It is never empty in a Config that was loaded.
type Ports []PortRange

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last int }

// First is the port that a dev server gets where it is free; 0: there is none.
func (p Ports) First() int {
	if len(p) == 0 {
		return 0
	}
	return p[0].First
}

// Contains tells whether a port is one of them.
func (p Ports) Contains(port int) bool {
	return slices.ContainsFunc(p, func(r PortRange) bool { return r.First <= port && port <= r.Last })
}

// All are the ports in the order in which they were written, each once.
func (p Ports) All() []int {
	var list []int
	seen := map[int]bool{}
	for _, r := range p {
		for port := r.First; port <= r.Last; port++ {
			if !seen[port] {
				seen[port] = true
				list = append(list, port)
			}
		}
	}
	return list
}

// String is "3000-3015,5173".
func (p Ports) String() string {
	var parts []string
	for _, r := range p {
		if r.First == r.Last {
			parts = append(parts, strconv.Itoa(r.First))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r.First, r.Last))
		}
	}
	return strings.Join(parts, ",")
}

// parsePorts reads "3000", "3000-3015" and "3000-3015, 5173".
func parsePorts(text string) (Ports, bool) {
	var list Ports
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(strings.TrimSpace(first))
		b, errB := strconv.Atoi(strings.TrimSpace(last))
		if errA != nil || errB != nil || a < 1 || b > 65535 || a > b {
			return nil, false
		}
		list = append(list, PortRange{a, b})
	}
	return list, true
}
