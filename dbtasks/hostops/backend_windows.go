package hostops

import "errors"

// ErrChanged: the process is not any more what the plan says.
var ErrChanged = errors.New("it is not the same process, parent or title any more")

// TerminateBackend is not to be had: Windows has neither SIGTERM nor titles.
func TerminateBackend(Process, Identity) error { return errors.ErrUnsupported }
