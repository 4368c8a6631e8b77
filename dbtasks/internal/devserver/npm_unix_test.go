//go:build unix

package devserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

const nodeServer = `require('http').createServer((q, r) => r.end(process.env.PGAPPNAME)).listen(+process.env.PORT, '127.0.0.1', () => {
	require('fs').writeFileSync('server.tmp', '' + process.pid); require('fs').renameSync('server.tmp', 'server.pid')
})`

func TestNodeIsGoneWhenNpmAloneIsKilled(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed:", err)
	}
	for name, sig := range map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "package.json", `{"name": "@shop/web", "scripts": {"dev": "node server.js"}}`)
			write(t, dir, "server.js", nodeServer)
			port, err := FreePort(from(20000 + os.Getpid()%1000*10 + int(sig)))
			if err != nil {
				t.Fatal(err)
			}
			cmd, err := Dev(dir, "", port, append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"), "HOME="+dir))
			if err != nil {
				t.Fatal(err)
			}
			s := stage(t, cmd, "", nil, nil)
			eventually(t, 20*time.Second, "node listens", func() bool { return s.number("server") > 0 && s.number("command") > 0 })
			s.tree, s.port = s.now(), port
			npm, err := hostops.Find(s.number("command"))
			if err != nil {
				t.Fatal(err)
			}
			if what, ok := Recognise(npm.Args, npm.Exe, npm.Name); !ok || what != "npm run dev" {
				t.Errorf("npm calls itself %q (%s): recognised as %q", npm.Args, npm.Name, what)
			}
			kill(t, npm.PID, sig)
			s.gone(t)
			if r := s.result(t); r.Reason != "" || len(r.Left) > 0 {
				t.Errorf("result %+v", r)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
