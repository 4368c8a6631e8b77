package runbook

import (
	"cmp"
	"errors"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// The exit codes of every target.
const (
	ExitNotDone  = 1 // not done, or not wholly done: what is missing is said
	ExitSettings = 2 // the call or the settings are wrong; nothing was touched
	ExitRefused  = 3 // refused for safety; nothing was touched
)

// Failure is why a target did not do what it was asked for. It is an error
// that also carries the exit code and the stable word of the JSON output.
type Failure struct {
	Exit    int
	Code    string   // JSON "error": slots_full, auth_failed, refused_remote, …
	Message string   // what happened; the first line of the output
	Details []string // further lines: the server's own words, who holds the slots
	Next    string   // the one next command or line to write
	Err     error    // the cause, where there is one; it may carry addresses but no password
}

func (f *Failure) Error() string { return f.Message }

func (f *Failure) Unwrap() error { return f.Err }

// ExitStatus is the exit code with which Mage ends when a target returns this
// error: 1 not done, 2 a wrong setting or call, 3 refused for safety.
func (f *Failure) ExitStatus() int { return f.Exit }

// AsFailure turns any error into a Failure: a setting that is wrong is exit 2,
// anything unforeseen is exit 1. It is nil for nil.
func AsFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var setting *settings.SettingError
	if errors.As(err, &setting) {
		return &Failure{Exit: ExitSettings, Code: "settings", Message: setting.Error(), Next: cmp.Or(setting.Write, setting.Next), Err: err}
	}
	var trust *plainfile.TrustError
	if errors.As(err, &trust) {
		return &Failure{Exit: ExitRefused, Code: "refused_owner", Message: trust.Error() + "; nothing was touched.", Next: trust.Fix, Err: err}
	}
	var project *devserver.SettingError
	if errors.As(err, &project) {
		return &Failure{Exit: ExitSettings, Code: "settings", Message: project.Error(), Next: project.Write, Err: err}
	}
	return &Failure{Exit: ExitNotDone, Code: "failed", Message: err.Error(), Err: err}
}
