package hostops

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// in is an accepted end, out a relay: bytes of the question and of the answer,
// and how long ago each went by.
func in(question, answer uint64, asked, answered time.Duration) Flow {
	return Flow{Received: question, Sent: answer, LastReceived: asked, LastSent: answered}
}

func out(question, answer uint64, asked, answered time.Duration) Flow {
	return Flow{Sent: question, Received: answer, LastSent: asked, LastReceived: answered}
}

func TestRelaysAreMatchedWhereThatIsCertain(t *testing.T) {
	t.Parallel()
	same := func(a, b int) bool { return a/10 == b/10 } // connections 0 to 9 are one process's
	for name, c := range map[string]struct {
		accepted, relays []Flow
		same             func(a, b int) bool
		want             []int
	}{
		"by the bytes": {[]Flow{in(100, 200, 500*ms, 500*ms), in(101, 200, 500*ms, 500*ms)}, []Flow{out(101, 200, 500*ms, 500*ms), out(100, 200, 500*ms, 500*ms)}, nil, []int{1, 0}},
		"by the time":  {[]Flow{in(100, 200, 500*ms, 500*ms), in(100, 200, 512*ms, 512*ms)}, []Flow{out(100, 200, 512*ms, 512*ms), out(100, 200, 500*ms, 500*ms)}, nil, []int{1, 0}},
		"a busy machine hands on late, never early": {
			[]Flow{in(100, 200, 500*ms, 440*ms), in(100, 200, 560*ms, 500*ms)}, []Flow{out(100, 200, 488*ms, 464*ms), out(100, 200, 548*ms, 524*ms)}, nil, []int{0, 1},
		},
		"two that are alike":                             {[]Flow{in(100, 200, 500*ms, 500*ms), in(100, 200, 500*ms, 500*ms)}, []Flow{out(100, 200, 500*ms, 500*ms), out(100, 200, 500*ms, 500*ms)}, nil, []int{-1, -1}},
		"two that are alike, of one process":             {[]Flow{in(100, 200, 500*ms, 500*ms), in(100, 200, 500*ms, 500*ms)}, []Flow{out(100, 200, 500*ms, 500*ms), out(100, 200, 500*ms, 500*ms)}, same, []int{0, 0}},
		"more relays than connections: a stranger's too": {[]Flow{in(100, 200, 500*ms, 500*ms)}, []Flow{out(100, 200, 500*ms, 500*ms), out(100, 200, 500*ms, 500*ms)}, same, []int{-1, -1}},
		"alike by a detour": {
			[]Flow{in(100, 200, 500*ms, 500*ms), in(100, 200, 504*ms, 504*ms)}, []Flow{out(100, 200, 504*ms, 504*ms), out(100, 200, 500*ms, 500*ms)}, nil, []int{-1, -1},
		},
		"another account's": {[]Flow{{UID: 1000, Received: 1, Sent: 2}}, []Flow{out(1, 2, 0, 0)}, nil, []int{-1}},
		"nothing":           {nil, []Flow{out(1, 2, 0, 0)}, nil, []int{-1}},
	} {
		if got := MatchRelays(c.accepted, c.relays, c.same); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWhatDataWentThroughMeanwhileIsNotSettled(t *testing.T) {
	t.Parallel()
	at := func(port uint16, sent uint64) Flow {
		return Flow{Local: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), Sent: sent}
	}
	now := []Flow{at(1, 10), at(2, 11), at(3, 10)}
	now[0].LastSent = 20 * ms
	if got := Settled([]Flow{at(1, 10), at(2, 10)}, now); !slices.Equal(got, now[:1]) {
		t.Errorf("%+v", got)
	}
}
