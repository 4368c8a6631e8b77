//go:build linux

package faults

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func init() { reexec.Register("fullserver", fullServerMain) }

// neighbourFaults: another account's files and programs where ours are looked
// for. None of its commands runs.
var neighbourFaults = append(asBoth(
	fault{name: "another account's .env above: test", inject: foreignAbove(0o755), args: "db:test", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "another account's .env above: cleanup", inject: foreignAbove(0o755), args: "db:cleanup -force", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "another account's .env above: start", inject: foreignAbove(0o755), args: "dev:start", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "another account's .env above: recover", inject: foreignAbove(0o755), args: "dev:recover", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "another account's .env in a folder for all, above: recover", inject: foreignAbove(0o777 | os.ModeSticky), args: "dev:recover", exit: 2, says: "is not set", after: obeyedNobody},
	fault{name: "another account's .env in a folder for all, above: start", inject: foreignAbove(0o777 | os.ModeSticky), args: "dev:start", exit: 2, says: "is not set", after: obeyedNobody},
	fault{name: "another account's package.json: start", inject: func(s *scene) {
		s.write("package.json", `{"name":"shop","scripts":{"dev":"touch `+s.dir+`/tmp/obeyed"}}`)
		s.belongTo(neighbour, filepath.Join(s.project, "package.json"))
	}, args: "dev:start", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "another account's .env.local beside ours: recover", inject: func(s *scene) {
		s.belongTo(neighbour, s.write(".env.local", "DBTASKS_RESTART_COMMAND='touch "+s.dir+"/tmp/obeyed'\n"))
	}, args: "dev:recover -start=false -restart=always", exit: 3, says: "chown", after: obeyedNobody},
	fault{name: "a .env that the group may write", inject: func(s *scene) { dotenv("DATABASE_URL='URL'\n")(s); s.groupOf(".env"); s.chmod(".env", 0o660) }, args: "db:cleanup", exit: 3, says: "chmod g-w"},
	fault{name: "a folder that the group may write", inject: func(s *scene) { s.groupOf("."); s.chmod(".", 0o775) }, args: "dev:start", exit: 3, says: "chmod g-w"},
	fault{name: "a folder that everybody may write, sticky", inject: func(s *scene) { s.chmod(".", 0o777|os.ModeSticky) }, args: "dev:start", exit: 3, says: "cd to a folder of your own"},
	fault{name: "a neighbour's postgres in a folder that root owns", inject: fakePostmaster, args: "dev:recover -start=false", exit: 1, says: "PostgreSQL can't be restarted from here", after: obeyedNobody},
	fault{name: "a neighbour's postgres in a folder that root owns: a restart by all means", inject: fakePostmaster, args: "dev:recover -start=false -restart=always", exit: 1, says: "PostgreSQL can't be restarted from here", after: obeyedNobody},
	fault{name: "a neighbour's postgres in a folder that root owns: cleanup", inject: fakePostmaster, args: "db:cleanup -force", exit: 1, says: "the reserved ones too", after: obeyedNobody},
	fault{name: "a neighbour's dev server on our port", inject: func(s *scene) {
		_, node := programs(s.T)
		s.heir = s.startAs(s.neighbourAccount(), "/", "listen", exec.Command(node, "server.js"), "PORT="+strconv.Itoa(s.ports))
	}, args: "dev:stop", says: "Nothing to stop", after: heirLives},
	fault{name: "a neighbour's program that works in our folder", inject: func(s *scene) {
		_, node := programs(s.T)
		s.heir = s.startAs(s.neighbourAccount(), s.project, "listen", exec.Command(node, "node_modules/.bin/vite", "dev"), "PORT="+strconv.Itoa(s.ports))
	}, act: whateverExit("dev:stop"), says: "", after: func(s *scene) {
		if os.Getuid() == 0 {
			heirLives(s)
		}
	}},
), asBoth(unbounded...)...)

// unbounded are files that do not end, or are too long for any memory.
var unbounded = []fault{
	{name: ".env is a pipe", inject: func(s *scene) { dotenv("")(s); s.pipe(".env") }, args: "db:test", exit: 2, says: "nobody wrote to it", memory: mostMemory, bound: 12 * time.Second},
	{name: ".env is /dev/zero", inject: func(s *scene) { dotenv("")(s); s.link("/dev/zero", ".env") }, args: "db:test", exit: 2, says: ".env", memory: mostMemory, bound: 5 * time.Second},
	{name: ".env of 1.5 GB", inject: func(s *scene) { dotenv("")(s); s.sparse(".env") }, args: "db:test", exit: 2, says: ".env", memory: mostMemory, bound: 5 * time.Second},
	{name: "package.json is a pipe", inject: func(s *scene) { s.must(os.Remove(s.path("package.json"))); s.pipe("package.json") }, args: "dev:start", exit: 2, says: "package.json", memory: mostMemory, bound: 5 * time.Second},
	{name: "package.json of 1.5 GB", inject: func(s *scene) { s.sparse("package.json") }, args: "dev:start", exit: 2, says: "package.json", memory: mostMemory, bound: 5 * time.Second},
	{name: "a client module of 1.5 GB", inject: func(s *scene) {
		reloading("")(s)
		s.sparse(clientFile)
	}, args: "dev:check", exit: 1, says: "it is too long", memory: mostMemory, bound: 15 * time.Second},
	{name: "a client module that is a pipe", inject: func(s *scene) {
		reloading("")(s)
		s.must(os.Remove(s.path(clientFile)))
		s.pipe(clientFile)
	}, args: "dev:check", exit: 1, says: "no client of PostgreSQL was found", memory: mostMemory, bound: 15 * time.Second},
}

// foreignAbove has the tool run in a folder without a project, below one of
// another account's.
func foreignAbove(mode os.FileMode) func(*scene) {
	return func(s *scene) {
		s.unset = true
		above := s.project
		for name, text := range map[string]string{
			"package.json": `{"name":"trap","scripts":{"dev":"touch ` + s.dir + `/tmp/obeyed"}}`,
			".env": "DATABASE_URL='" + s.db().URL("connection_limit=5") + "'\nDBTASKS_RESTART_COMMAND='touch " + s.dir + "/tmp/obeyed'\n" +
				"DBTASKS_DEV_COMMAND='touch " + s.dir + "/tmp/obeyed'\n",
		} {
			s.belongTo(neighbour, s.write(name, text))
		}
		s.mkdir("mine")
		s.belongTo(neighbour, above)
		s.must(os.Chmod(above, mode))
		s.project = filepath.Join(above, "mine")
	}
}

// obeyedNobody: what would show that a command of the neighbour's ran is a file
// in the tool's own temporary folder.
func obeyedNobody(s *scene) {
	for _, path := range []string{filepath.Join(s.tmp, "obeyed"), filepath.Join(s.dir, "evil", "obeyed")} {
		if _, err := os.Stat(path); err == nil {
			s.Errorf("the neighbour's command ran: %s is there", path)
		}
	}
}

func heirLives(s *scene) {
	if !s.heir.alive() {
		s.Error("the neighbour's process was ended")
	}
}

// groupOf gives a file to a group that has another member than the user.
func (s *scene) groupOf(name string) {
	s.Helper()
	if os.Getuid() != 0 {
		s.Skip("needs root: only root gives files to another group")
	}
	path := s.path(name)
	owner := 0
	if s.account != nil {
		owner = int(s.account.uid)
	}
	s.must(os.Chown(path, owner, int(lookUp(s.T, neighbour).gid)))
	s.foreign = append(s.foreign, path)
}

func (s *scene) path(name string) string { return filepath.Join(s.project, name) }

func (s *scene) pipe(name string) {
	s.Helper()
	s.must(os.NewSyscallError("mkfifo", syscall.Mkfifo(s.path(name), 0o600)))
}

// sparse makes a file of 1.5 GB that takes no room on the disk.
func (s *scene) sparse(name string) {
	s.Helper()
	s.write(name, "")
	s.must(os.Truncate(s.path(name), 3<<29))
}

// fakePostmaster is another account's program that is called postgres and is
// full, in a folder that belongs to root and that everybody may write to, with
// the files of a data directory and a pg_ctl of its own beside it.
func fakePostmaster(s *scene) {
	if os.Getuid() != 0 {
		s.Skip("needs root: another account's program in root's folder")
	}
	_, node := programs(s.T)
	data, evil, port := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "evil"), pgtest.FreePort(s.T)
	for _, dir := range []string{data, evil} {
		s.must(os.Mkdir(dir, 0o755))
		s.must(os.Chmod(dir, 0o777|os.ModeSticky))
	}
	program := filepath.Join(evil, "postgres")
	if out, err := exec.Command("cp", node, program).CombinedOutput(); err != nil {
		s.Fatalf("cp: %v: %s", err, out)
	}
	s.must(os.WriteFile(filepath.Join(evil, "pg_ctl"), []byte("#!/bin/sh\necho $(id -un) >> "+evil+"/obeyed\nexit 1\n"), 0o755)) //nolint:gosec // a program
	s.must(os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("15\n"), 0o644))
	s.belongTo(neighbour, program)
	s.belongTo(neighbour, filepath.Join(evil, "pg_ctl"))
	s.startAs(s.neighbourAccount(), data, "fullserver", exec.Command(program, "-D", data), "PORT="+strconv.Itoa(port), "FORK=1")
	s.at(port)
}

// fullServerMain answers every login on PORT as a server without a slot does,
// and writes postmaster.pid and postmaster.opts into its folder. FORK lets an
// orphan do all that.
func fullServerMain(args []string) int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	if os.Getenv("FORK") != "" {
		_ = os.Unsetenv("FORK")
		cmd := reexec.Command(context.Background(), "fullserver", args...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return 1
		}
		return 0
	}
	data, _ := os.Getwd()
	port := os.Getenv("PORT")
	for name, text := range map[string]string{
		"postmaster.pid":  fmt.Sprintf("%d\n%s\n%d\n%s\n%s\n127.0.0.1\n0\nready\n", os.Getpid(), data, time.Now().Unix(), port, data),
		"postmaster.opts": fmt.Sprintf("%s %q %q\n", self, "-D", data),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return serveOn("127.0.0.1:"+port, func(c net.Conn) { _, _ = c.Write(tooMany) })
}
