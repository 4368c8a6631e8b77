package pgops

import (
	"testing"
	"time"
)

func TestATimeoutIsReadAsPostgreSQLReadsIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"0": 0, "300000": 5 * time.Minute, "5min": 5 * time.Minute, "1.5 s": 1500 * time.Millisecond, "'2h'": 2 * time.Hour, "1d": 24 * time.Hour, "500us": 500 * time.Microsecond} {
		if got, ok := ParseMilliseconds(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "five", "5 minutes", "-1", "1e300"} {
		if got, ok := ParseMilliseconds(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
