//go:build unix

package release

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// What is released for this platform is installed by somebody without Go and
// without a network.
func TestWhatIsReleasedRunsWithoutGoAndNetwork(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			npmtest.Unavailable(t, program+" is not here")
		}
	}
	out := filepath.Join(t.TempDir(), "dist")
	platform := thisPlatform(t)
	var said []string
	err := Make(t.Context(), Options{Root: "../../..", Out: out, Platforms: []Platform{platform}, Log: func(line string) { said = append(said, line) }})
	if err != nil {
		t.Fatal(err)
	}
	version, err := versionOf("../../..")
	if err != nil {
		t.Fatal(err)
	}
	u := newUser(t, out)

	t.Run("checksums", func(t *testing.T) { u.run(t, out, "sha256sum", "-c", "--strict", "SHA256SUMS") })

	t.Run("program", func(t *testing.T) {
		program := filepath.Join(out, "dbtasks-"+version+"-"+platform.OS+"-"+platform.Arch)
		if said := u.run(t, u.home, program, "version"); !strings.HasPrefix(said, "dbtasks "+version+" (commit ") {
			t.Errorf("it says %q", said)
		}
		list := u.run(t, u.home, program, "-l")
		for _, own := range []string{"bench", "fuzz", "lint", "supply", "release"} {
			if strings.Contains(list, "\n  "+own+" ") {
				t.Errorf("the program has this repository's own target %s", own)
			}
		}
		if !strings.Contains(list, "db:cleanup") {
			t.Errorf("no db:cleanup in %s", list)
		}
	})

	chooser := filepath.Join(out, "pgrunbook-dbtasks-"+version+".tgz")
	native := filepath.Join(out, "pgrunbook-dbtasks-"+platform.NodeOS+"-"+platform.NodeCPU+"-"+version+".tgz")
	for name, archives := range map[string][]string{"both packages": {native, chooser}, "the platform's package alone": {native}} {
		t.Run("npm, "+name, func(t *testing.T) {
			shop := u.shop(t)
			u.run(t, shop, "npm", append([]string{"install", "-D", "--offline", "--no-audit", "--no-fund"}, archives...)...)
			if said := u.run(t, shop, "npx", "dbtasks", "version"); !strings.HasPrefix(said, "dbtasks "+version+" ") {
				t.Errorf("it says %q", said)
			}
			said, code := u.try(t, shop, "npx", "dbtasks", "db:test")
			if code != 2 || !strings.Contains(said, "DATABASE_URL") {
				t.Errorf("without settings: exit %d, %s", code, said)
			}
		})
	}

	// npm ci wants every optional package in the lock file, which has them only
	// when they can be had from somewhere: npm install is the colleague's command
	// where the other platforms' archives are not beside this one.
	for name, c := range map[string]struct{ archives, install []string }{
		"both packages":                {[]string{native, chooser}, []string{"install"}},
		"the platform's package alone": {[]string{native}, []string{"ci"}},
	} {
		t.Run("npm, a colleague's clone, "+name, func(t *testing.T) {
			shop, clone := u.shop(t), u.folder(t, "clone")
			u.run(t, shop, "sh", append([]string{"-c", `mkdir vendor && cp "$@" vendor && npm install -D --offline --no-audit --no-fund ./vendor/*.tgz && cp -R package.json package-lock.json vendor "$0"`, clone}, c.archives...)...)
			u.run(t, clone, "npm", append(c.install, "--offline", "--no-audit", "--no-fund")...)
			u.run(t, clone, "npx", "dbtasks", "version")
		})
	}

	t.Run("npm, without this platform's package", func(t *testing.T) {
		shop := u.shop(t)
		u.run(t, shop, "npm", "install", "-D", "--offline", "--no-audit", "--no-fund", "--omit=optional", chooser)
		said, code := u.try(t, shop, "npx", "dbtasks", "db:test")
		if code != 2 || !strings.Contains(said, packageOf(platform)) {
			t.Errorf("exit %d, %s", code, said)
		}
	})

	t.Run("npm, dev:init writes nothing that knows a machine", func(t *testing.T) {
		shop := u.shop(t)
		u.run(t, shop, "sh", "-c", `mkdir vendor && cp "$@" vendor && npm install -D --offline --no-audit --no-fund ./vendor/*.tgz`, "sh", native, chooser)
		u.run(t, shop, "node", "-e", `const fs = require("fs"), p = JSON.parse(fs.readFileSync("package.json"));
			p.scripts = { dev: "vite dev" }; p.dependencies = { pg: "8" }; p.devDependencies.vite = "8"; fs.writeFileSync("package.json", JSON.stringify(p, null, 2))`)
		s := pgtest.Start(t, pgserver.DisposableOptions{})
		db := s.NewDatabase()
		u.run(t, shop, "sh", "-c", `echo "DATABASE_URL='$1'" > .env`, "sh", db.URL())
		u.run(t, shop, "npx", "dbtasks", "dev:init")
		if said := u.run(t, shop, "npm", "run", "db:test"); !strings.Contains(said, "OK: logged in") {
			t.Errorf("npm run db:test says %s", said)
		}
		if out, code := u.try(t, shop, "grep", "-rl", "--exclude-dir=node_modules", "--exclude-dir=vendor", "-e", u.home, "-e", mustAbs(t, "../../.."), "."); code != 1 {
			t.Errorf("these files name a machine's folder: %s", out)
		}
		if said, _ := u.try(t, shop, "npx", "dbtasks", "dev:check"); strings.Contains(said, "WRONG 8.") {
			t.Errorf("dev:check does not know the scripts: %s", said)
		}
	})

	t.Run("npm, signals and exit codes pass through", func(t *testing.T) {
		shop := u.shop(t)
		u.run(t, shop, "npm", "install", "-D", "--offline", "--no-audit", "--no-fund", native, chooser)
		s := pgtest.Start(t, pgserver.DisposableOptions{})
		db := s.NewDatabase()
		cmd := u.command(shop, "node", "node_modules/@pgrunbook/dbtasks/bin/dbtasks.js", "db:monitor", "-every=50ms")
		cmd.Env = append(cmd.Env, "DATABASE_URL="+db.URL("connection_limit=5"))
		lines, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		if !bufio.NewScanner(lines).Scan() {
			t.Fatal("the monitor says nothing")
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the monitor that TERM ended: %v, want exit 0", err)
		}
		pgtest.Eventually(t, 5*time.Second, "the monitor's session is gone", func() bool { return s.Sessions(db.Name) == 0 })
	})

	t.Run("Debian package", func(t *testing.T) {
		if _, err := exec.LookPath("dpkg-deb"); err != nil {
			t.Skip("dpkg-deb is not here")
		}
		root := u.folder(t, "root")
		u.run(t, root, "dpkg-deb", "-x", filepath.Join(out, "dbtasks_"+version+"_"+platform.Debian+".deb"), root)
		if said := u.run(t, u.home, filepath.Join(root, "usr/bin/dbtasks"), "version"); !strings.HasPrefix(said, "dbtasks "+version) {
			t.Errorf("it says %q", said)
		}
		for _, file := range []string{"usr/share/man/man1/dbtasks.1.gz", "usr/share/bash-completion/completions/dbtasks", "usr/share/doc/dbtasks/copyright"} {
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Error(err)
			}
		}
	})
}

func mustAbs(t *testing.T, path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func thisPlatform(t *testing.T) Platform {
	for _, p := range Platforms {
		if p.OS == runtime.GOOS && p.Arch == runtime.GOARCH {
			return p
		}
	}
	t.Skip("nothing is released for this platform")
	return Platform{}
}

// ordinaryUser has no Go in his PATH and a home of his own.
type ordinaryUser struct {
	home    string
	path    string
	account *syscall.SysProcAttr
	uid     int
}

// newUser is another account where the tests run as root. It may read out.
func newUser(t *testing.T, out string) *ordinaryUser {
	home, err := os.MkdirTemp("", "dbtasks-release-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	u := &ordinaryUser{home: home, account: &syscall.SysProcAttr{}, uid: os.Getuid()}
	if os.Getuid() == 0 {
		games, err := user.Lookup("games")
		if err != nil {
			t.Fatal(err)
		}
		gid, _ := strconv.Atoi(games.Gid)
		u.uid, _ = strconv.Atoi(games.Uid)
		u.account.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(gid)}
		for dir := out; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(home, u.uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	programs := filepath.Join(home, "programs")
	if err := os.Mkdir(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node", "npm", "npx"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	u.path = programs + ":/usr/bin:/bin"
	return u
}

// folder is a new one that belongs to the user.
func (u *ordinaryUser) folder(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp(u.home, name+"-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, u.uid, -1); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (u *ordinaryUser) shop(t *testing.T) string {
	t.Helper()
	dir := u.folder(t, "shop")
	u.run(t, dir, "sh", "-c", `echo '{"name":"shop","version":"1.0.0","private":true}' > package.json`)
	return dir
}

func (u *ordinaryUser) command(dir, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	if !filepath.IsAbs(name) {
		for _, folder := range filepath.SplitList(u.path) {
			if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
				name = filepath.Join(folder, name)
				break
			}
		}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	context.AfterFunc(ctx, cancel)
	cmd.Dir, cmd.SysProcAttr = dir, u.account
	cmd.Env = []string{"HOME=" + u.home, "PATH=" + u.path, "npm_config_update_notifier=false", "npm_config_cache=" + filepath.Join(u.home, "npm")}
	return cmd
}

func (u *ordinaryUser) try(t *testing.T, dir, name string, args ...string) (said string, code int) {
	t.Helper()
	out, err := u.command(dir, name, args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return string(out), 0
}

func (u *ordinaryUser) run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	said, code := u.try(t, dir, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit %d: %s", name, strings.Join(args, " "), code, said)
	}
	return said
}
