package pgserver

import (
	"os"
	"os/user"
	"syscall"
)

// account is the user who runs this process: Windows has no switching without
// a password.
type account struct {
	name     string
	switched bool // never here
}

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

func accountOf(uint32) account { a, _ := disposableAccount(); return a }

// trusts is for Unix: a service's files on Windows belong to administrators.
func (s Subject) trusts(string) (account, error) { return disposableAccount() }
