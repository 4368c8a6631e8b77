//go:build linux

package faults

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// initFaults: dev:init is cut short, or must not write where it would.
var initFaults = func() (list []fault) {
	for _, sig := range []struct {
		name string
		sig  syscall.Signal
		exit int
	}{{"INT", syscall.SIGINT, 1}, {"TERM", syscall.SIGTERM, 1}, {"HUP", syscall.SIGHUP, 1}, {"KILL", syscall.SIGKILL, -1}} {
		list = append(list, fault{name: "while it writes: " + sig.name, inject: scaffold, exit: sig.exit, says: map[int]string{1: "none of them half"}[sig.exit],
			act: func(s *scene) outcome { return s.initCutShort(sig.sig) }, bound: 40 * time.Second, after: goesOn})
	}
	return append(list, []fault{
		{name: "nothing is wrong", inject: scaffold, args: "dev:init", says: "Wrote "},
		{name: "no project", args: "dev:init", exit: 2, says: "nothing was touched", after: untouched},
		{name: "package.json is broken", inject: func(s *scene) { scaffold(s); s.write("package.json", `{"dependencies":`) }, args: "dev:init", exit: 2, says: "package.json", after: untouched},
		{name: "scripts is a link out of the project", inject: func(s *scene) { scaffold(s); s.outside("scripts") }, args: "dev:init", exit: 3, says: "leads out of", after: func(s *scene) { untouched(s); s.emptyOutside() }},
		{name: "the client's folder is a link out of the project", inject: func(s *scene) { scaffold(s); s.outside("src") }, args: "dev:init", exit: 3, says: "leads out of", after: func(s *scene) { untouched(s); s.emptyOutside() }},
		{name: ".env is a link out of the project", inject: func(s *scene) {
			scaffold(s)
			s.outside("elsewhere")
			s.must(os.WriteFile(filepath.Join(s.dir, "outside", "env"), []byte("DATABASE_URL=postgresql://app@localhost/shop\n"), 0o600))
			s.link(filepath.Join(s.dir, "outside", "env"), ".env")
		}, args: "dev:init", exit: 3, says: "leads out of", after: untouched},
		{name: "a link to nowhere in a file's place", inject: func(s *scene) { scaffold(s); s.link(filepath.Join(s.dir, "nowhere"), ".env.example") }, args: "dev:init", says: "Wrote ", after: func(s *scene) {
			if _, err := os.Lstat(filepath.Join(s.dir, "nowhere")); err == nil {
				s.Error("it wrote through the link")
			}
		}},
		{name: "a folder in a file's place", inject: func(s *scene) { scaffold(s); s.mkdir(".env.example") }, args: "dev:init", exit: 2, says: ".env.example", after: untouched},
		{name: "read-only checkout, an ordinary user's", inject: func(s *scene) { scaffold(s); s.chmod(".", 0o500) }, args: "dev:init", exit: 1, says: "Nothing is written", after: untouched, as: ordinary},
	}...)
}()

// scaffold makes the project one that dev:init knows, with its own folder for
// the module's source.
func scaffold(s *scene) {
	root, err := filepath.Abs("../../..")
	s.must(err)
	s.env["DBTASKS_SOURCE"] = root
	s.write("package.json", packageJSON)
}

const packageJSON = "{\n  \"devDependencies\": { \"vite\": \"8\" },\n  \"dependencies\": { \"pg\": \"8\" }\n}\n"

// outside makes a link of the project's that leads out of it.
func (s *scene) outside(name string) {
	s.Helper()
	dir := filepath.Join(s.dir, "outside")
	s.must(os.MkdirAll(dir, 0o755))
	s.link(dir, name)
}

func (s *scene) emptyOutside() {
	s.Helper()
	if entries, err := os.ReadDir(filepath.Join(s.dir, "outside")); err != nil || len(entries) > 0 {
		s.Errorf("written outside of the project: %v %v", entries, err)
	}
}

// untouched checks that dev:init has made no file.
func untouched(s *scene) {
	s.Helper()
	for name := range s.files() {
		switch name {
		case "package.json", ".env":
		default:
			s.Errorf("it made %s", name)
		}
	}
}

// files are the project's regular files, by their paths within it.
func (s *scene) files() map[string]string {
	s.Helper()
	all := map[string]string{}
	s.must(filepath.WalkDir(s.project, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(s.project, path)
		all[rel] = string(text)
		return err
	}))
	return all
}

// initCutShort sends a signal when dev:init has written its first files and
// not its last one; it is held there meanwhile. A run that was too fast for
// that, or done before the signal came through, is made again.
func (s *scene) initCutShort(sig syscall.Signal) outcome {
	s.row.target = "dev:init"
	for range 20 {
		cmd, stdout, stderr := s.command("dev:init")
		s.must(cmd.Start())
		for deadline := time.Now().Add(10 * time.Second); !s.exists("go.mod") && time.Now().Before(deadline); {
			time.Sleep(200 * time.Microsecond)
		}
		s.must(cmd.Process.Signal(syscall.SIGSTOP))
		s.eventually("dev:init is held, or over", func() bool { return strings.Contains("TZ", state(cmd.Process.Pid)) })
		early := !s.exists("bin")
		s.must(cmd.Process.Signal(sig))
		s.must(cmd.Process.Signal(syscall.SIGCONT))
		if o := s.outcome(cmd.Wait(), stdout, stderr); early && o.code != 0 {
			return o
		}
		s.must(os.RemoveAll(s.project))
		s.must(os.Mkdir(s.project, 0o755))
		scaffold(s)
	}
	s.Fatal("dev:init is too fast to be cut short")
	return outcome{}
}

// goesOn checks that no file is half written, and that the next run makes of
// the project what a run that nobody disturbs makes.
func goesOn(s *scene) {
	s.Helper()
	before := s.files()
	if o := s.run("dev:init"); o.code != 0 {
		s.Errorf("the next run: %s", o)
	}
	mended := s.files()
	interrupted := s.project
	s.project = filepath.Join(s.dir, "undisturbed")
	s.must(os.Mkdir(s.project, 0o755))
	scaffold(s)
	if o := s.run("dev:init"); o.code != 0 {
		s.Errorf("a run that nobody disturbs: %s", o)
	}
	whole := s.files()
	s.project = interrupted
	for name, text := range before {
		if strings.HasSuffix(name, ".dbtasks-new") {
			if _, still := mended[name]; still {
				s.Errorf("%s is left by both runs", name)
			}
		} else if text != whole[name] && (name != "package.json" || text != packageJSON) {
			s.Errorf("%s is half written: %d of %d bytes", name, len(text), len(whole[name]))
		}
	}
	if len(before) >= len(whole) {
		s.Error("it was not cut short: every file was there")
	}
	for name, text := range whole {
		if mended[name] != text {
			s.Errorf("after the next run %s is not what it should be", name)
		}
	}
	if len(mended) != len(whole) {
		s.Errorf("after the next run there are %d files, want %d", len(mended), len(whole))
	}
}
