//go:build unix

package bench

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// become has cmd run as another account; only root can, and only root has to.
func become(b *testing.B, cmd *exec.Cmd, account string) {
	b.Helper()
	if os.Getuid() != 0 || account == "" {
		return
	}
	u, err := user.Lookup(account)
	if err != nil {
		b.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
