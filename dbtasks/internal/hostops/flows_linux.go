package hostops

import (
	"context"
	"fmt"
	"time"
)

// ReadFlows lists the established TCP connections of this machine that want
// chooses by their ends, with what the kernel counted; ReadFlows of 1,000 takes
// some milliseconds. Those of containers are in namespaces of their own and not
// among them.
func ReadFlows(want func(Flow) bool) ([]Flow, error) {
	body := inetDiagRequest(1<<tcpEstablished | 1<<tcpCloseWait)
	body[3] = 1 << (2 - 1) // INET_DIAG_INFO
	var list []Flow
	err := sockDiag(tcpdiagGetsock, body, func(data []byte) error {
		if f, ok := parseFlow(data); ok && want(f) {
			list = append(list, f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the counters of TCP connections: %w", err)
	}
	return list, nil
}

// ReadSettledFlows reads twice, and is what did not change in between.
func ReadSettledFlows(ctx context.Context, want func(Flow) bool) ([]Flow, error) {
	before, err := ReadFlows(want)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(settling):
	}
	now, err := ReadFlows(want)
	if err != nil {
		return nil, err
	}
	return Settled(before, now), nil
}

// settling is well over what a forwarder takes to hand data on.
const settling = 20 * time.Millisecond
