//go:build !linux

package hostops

import (
	"context"
	"errors"
)

// PlaceOf is not told here: containers live in a virtual machine, whose
// processes are not seen.
func PlaceOf(pid int) (Place, error) { return Place{PIDs: []int{pid}}, nil }

// HostPID is not told here.
func HostPID(context.Context, int, int) (int, error) { return 0, errors.ErrUnsupported }

// SameFolder is only asked where mount namespaces are told apart.
func SameFolder(int, string) bool { return false }

// ControlGroup is Linux's.
func ControlGroup(int) string { return "" }
