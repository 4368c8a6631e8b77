package pgserver

import (
	"os"
	"os/user"
	"syscall"
)

// account is the user who runs this process: Windows has no switching without
// a password.
type account struct{ name string }

func disposableAccount() (account, error) {
	u, err := user.Current()
	if err != nil {
		return account{}, err
	}
	return account{name: u.Username}, nil
}

func (a account) attr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

func (a account) own(string) error { return nil }

func (a account) tempRoot() string { return os.TempDir() }

func ownerOf(string) (account, error) { return disposableAccount() }

func (a account) usable() bool { return true }
