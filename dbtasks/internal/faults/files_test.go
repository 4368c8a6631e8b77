//go:build linux

package faults

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// fileFaults: settings in every broken form, folders and disks.
var fileFaults = []fault{
	{name: "no .env", inject: dotenv(""), args: "db:test", exit: 2, says: "DATABASE_URL"},
	{name: ".env without a value", inject: dotenv("DATABASE_URL=\n"), args: "db:test", exit: 2, says: "is not set"},
	{name: ".env with an unclosed quote", inject: dotenv("A=1\nDATABASE_URL=\"URL\nB=2\n"), args: "db:test", exit: 2, says: "a quote that is not closed"},
	{name: ".env with a line that is none", inject: dotenv("DATABASE_URL=URL\nwhat is this\n"), args: "db:test", says: "OK: logged in"},
	{name: ".env in UTF-16", inject: dotenv("\xff\xfeD\x00A\x00"), args: "db:test", exit: 2, says: "is no UTF-8 text"},
	{name: ".env with a NUL byte", inject: dotenv("DATABASE_URL=URL\x00\n"), args: "db:test", exit: 2, says: "is no UTF-8 text"},
	{name: ".env with BOM and CRLF", inject: dotenv("\xef\xbb\xbfA=1\r\nDATABASE_URL='URL'\r\n"), args: "db:test", says: "OK: logged in"},
	{name: ".env with old Mac line ends", inject: dotenv("A=1\rexport DATABASE_URL='URL'\r"), args: "db:test", says: "OK: logged in"},
	{name: ".env of 5 MB", inject: dotenv(strings.Repeat("# a comment\n", 400_000) + "DATABASE_URL='URL'\n"), args: "db:test", says: "OK: logged in"},
	{name: ".env is a folder", inject: func(s *scene) { dotenv("")(s); s.mkdir(".env") }, args: "db:test", exit: 2, says: "is a folder"},
	{name: ".env is a pipe that nobody writes", inject: func(s *scene) {
		dotenv("")(s)
		if err := syscall.Mkfifo(filepath.Join(s.project, ".env"), 0o600); err != nil {
			s.Fatal(err)
		}
	}, args: "db:test", exit: 2, says: ".env"},
	{name: ".env is a link to nowhere", inject: func(s *scene) { dotenv("")(s); s.link("/nowhere/.env", ".env") }, args: "db:test", exit: 2, says: "is not set"},
	{name: ".env is a link out of the project", inject: func(s *scene) {
		dotenv("DATABASE_URL='URL'\n")(s)
		s.move(".env", filepath.Join(s.dir, "shared.env"))
		s.link(filepath.Join(s.dir, "shared.env"), ".env")
	}, args: "db:test", says: "OK: logged in"},
	{name: ".env may not be read", inject: func(s *scene) {
		dotenv("DATABASE_URL='URL'\n")(s)
		s.chmod(".env", 0)
	}, args: "db:test", exit: 2, says: "can't be read", as: ordinary},
	{name: ".env: limit missing", inject: dotenv("DATABASE_URL='BARE'\n"), args: "db:test", exit: 2, says: "carries no pool limit"},
	{name: ".env: password not escaped", inject: dotenv("DATABASE_URL=postgresql://app:RAW@127.0.0.1:1/shop?connection_limit=5\n"), args: "db:test", exit: 2, says: "DATABASE_URL"},
	{name: ".env: mysql", inject: dotenv("DATABASE_URL=mysql://app:RAW@127.0.0.1/shop\n"), args: "db:cleanup", exit: 2, says: "postgresql://"},
	{name: ".env: reference to what is not set", inject: dotenv("DATABASE_URL=postgresql://app:$NOT_SET@127.0.0.1:1/shop?connection_limit=5\n"), args: "db:test", exit: 1, says: "Nothing accepts connections"},
	{name: "ports that are none", inject: func(s *scene) { s.env["DBTASKS_PORTS"] = "many" }, args: "dev:stop", exit: 2, says: "DBTASKS_PORTS"},
	{name: ".env: broken, and dev:stop needs none of it", inject: dotenv("DATABASE_URL=\"nonsense\nDBTASKS_WARN=many\nFEATURE\n"), args: "dev:stop -dry", says: "Nothing to stop"},
	{name: ".env that everybody may write", inject: func(s *scene) {
		dotenv("DATABASE_URL='URL'\n")(s)
		s.chmod(".env", 0o666)
	}, args: "db:cleanup", exit: 3, says: "chmod o-w"},
	{name: "a project that everybody may write", inject: func(s *scene) { s.chmod(".", 0o777) }, args: "dev:recover", exit: 3, says: "chmod o-w"},
	{name: "package.json is broken", inject: func(s *scene) { s.write("package.json", `{"scripts":`) }, args: "dev:start", exit: 2, says: "package.json"},
	{name: "no dev script", inject: func(s *scene) { s.write("package.json", `{"name":"shop"}`) }, args: "dev:start", exit: 2, says: "dev"},
	{name: "no HOME", inject: func(s *scene) { delete(s.env, "HOME") }, args: "db:test", says: "OK: logged in"},
	{name: "no PATH", inject: func(s *scene) { delete(s.env, "PATH"); s.leak = s.db().Open(2, "leak") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "HOME and TMPDIR may not be written", inject: func(s *scene) {
		s.chmod("../home", 0o500)
		s.chmod("../tmp", 0o500)
	}, args: "db:cleanup", says: "No idle session", as: ordinary},
	{name: "read-only checkout", inject: func(s *scene) { s.chmod(".", 0o500) }, args: "db:cleanup", says: "No idle session", as: ordinary},
	{name: "no TMPDIR: the drill", inject: func(s *scene) { s.env["TMPDIR"] = "/nowhere/tmp" }, args: "dev:drill", exit: 1, says: "/nowhere/tmp"},
	{name: "path with spaces and unicode", inject: moved("mein lädchen & co/店 $HOME"), args: "dev:stop -dry", says: "Nothing to stop"},
	{name: "path with spaces: the dev server is found", inject: func(s *scene) { moved("mein lädchen 'a' & co")(s); s.devServer() }, args: "dev:stop", says: "Stopped 1 process"},
	{name: "project behind a symbolic link", inject: func(s *scene) {
		s.devServer()
		s.link(s.project, "../link")
		s.project = filepath.Join(s.dir, "link")
	}, args: "dev:stop", says: "Stopped 1 process"},
	{name: "working folder was removed", inject: nil, act: func(s *scene) outcome {
		cmd, stdout, stderr := s.command("db:test")
		cmd.Dir = filepath.Join(s.dir, "gone")
		if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
			s.Fatal(err)
		}
		cmd.Args = []string{"sh", "-c", `rmdir "$PWD"; exec "$0" db:test`, cmd.Path}
		cmd.Path = "/bin/sh"
		return s.outcome(cmd.Run(), stdout, stderr)
	}, exit: 2, says: "is not there any more"},
	{name: "standard output is a full disk", act: func(s *scene) outcome {
		cmd, stdout, stderr := s.command("db:test")
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			s.Fatal(err)
		}
		defer full.Close()
		cmd.Stdout = full
		return s.outcome(cmd.Run(), stdout, stderr)
	}, exit: 1, says: "the result could not be written"},
	{name: "standard output is closed", act: func(s *scene) outcome {
		cmd, stdout, stderr := s.command("db:monitor", "-every=50ms")
		cmd.Stdout = nil
		out, err := cmd.StdoutPipe()
		if err != nil {
			s.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			s.Fatal(err)
		}
		_, _ = io.ReadFull(out, make([]byte, 10))
		_ = out.Close()
		return s.outcome(cmd.Wait(), stdout, stderr)
	}, exit: -1, says: "", bound: 5 * time.Second},
	{name: "a picture in the place of a device", args: "db:monitor -every=100ms -for=300ms -svg=/dev/null", exit: 2, says: "is no file"},
	{name: "a picture in a folder that is not there", args: "db:monitor -every=100ms -for=300ms -svg=/nowhere/x.svg", exit: 2, says: "/nowhere"},
}

// dotenv takes DATABASE_URL out of the environment and writes .env: URL, BARE
// and RAW stand for the right one, for that without a limit, and for a password.
func dotenv(text string) func(*scene) {
	return func(s *scene) {
		s.unset = true
		if text != "" {
			s.write(".env", strings.NewReplacer("URL'", s.db().URL("connection_limit=5")+"'", "\"URL", "\""+s.db().URL("connection_limit=5"), "=URL", "="+s.db().URL("connection_limit=5"),
				"BARE", s.db().URL(), "RAW", strings.ReplaceAll(s.secret("p/#@"), "\n", "")).Replace(text))
		}
	}
}

// moved renames the project's folder.
func moved(name string) func(*scene) {
	return func(s *scene) {
		s.move(".", filepath.Join(s.dir, name))
		s.project = filepath.Join(s.dir, name)
	}
}

// must fails the row when a file can't be made as it should be.
func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.project, name))
	return err == nil
}

func (s *scene) mkdir(name string) {
	s.Helper()
	s.must(os.Mkdir(filepath.Join(s.project, name), 0o755))
}

func (s *scene) link(to, name string) {
	s.Helper()
	s.must(os.Symlink(to, filepath.Join(s.project, name)))
}

func (s *scene) move(name, to string) {
	s.Helper()
	s.must(os.MkdirAll(filepath.Dir(to), 0o755))
	s.must(os.Rename(filepath.Join(s.project, name), to))
}

// chmod is undone when the row is over, so that its folder can be removed.
func (s *scene) chmod(name string, mode os.FileMode) {
	s.Helper()
	path := filepath.Join(s.project, name)
	s.must(os.Chmod(path, mode))
	s.Cleanup(func() { _ = os.Chmod(path, 0o755) })
}
