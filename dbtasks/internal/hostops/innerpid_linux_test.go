package hostops

import (
	"os"
	"slices"
	"testing"
)

func TestTheInnermostPidIsRead(t *testing.T) {
	for status, want := range map[string][]int{
		"Name:\tpostgres\nNSpid:\t4242\t77\t9\nNSpgid:\t1\n": {4242, 77, 9},
		"Name:\tpostgres\nNSpid:\t4242\n":                    {4242},
	} {
		if got, err := parseNSpid([]byte(status)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", status, got, err, want)
		}
	}
	for _, status := range []string{"", "NSpid:\n", "NSpid:\tx\n"} {
		if got, err := parseNSpid([]byte(status)); err == nil {
			t.Errorf("%q: %v, want an error", status, got)
		}
	}
	if got, err := InnerPID(os.Getpid()); err != nil || got == 0 {
		t.Errorf("our own: %d, %v", got, err)
	}
}
