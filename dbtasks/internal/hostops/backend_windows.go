package hostops

import "errors"

// TerminateBackend is not to be had: Windows has neither SIGTERM nor titles.
func TerminateBackend(Process, Identity) error { return errors.ErrUnsupported }
