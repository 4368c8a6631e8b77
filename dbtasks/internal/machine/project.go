package machine

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// Owner says whose a process is, seen from one project.
type Owner int

// The owners. Untold: its folder is hidden, gone, or of another machine's or
// container's file system. NoProject: it works in a folder that is no project's.
const (
	Untold Owner = iota
	Ours
	Another
	NoProject
)

// Whose tells whether a process works for the project whose root this is: its
// folder lies in that tree, and in no other project's tree within it.
func (m *Machine) Whose(p hostops.Process, root string) Owner {
	dir := m.folder(p)
	switch {
	case dir == "":
		return Untold
	case Within(dir, root):
		return Ours
	case m.Project(p) == (Project{}):
		return NoProject
	}
	return Another
}

// Within tells whether a folder belongs to the project whose root this is. What
// lies below a .git of its own (a folder, or the file of a worktree or a
// submodule) belongs to another. Home and / are nobody's project.
func Within(dir, root string) bool {
	root = real(root)
	if dir = real(dir); root == "" || jsproject.HoldsEverything(root) || !hostops.Under(dir, root) {
		return false
	}
	for at := dir; at != root && len(at) > len(root); at = filepath.Dir(at) {
		if plainfile.Exists(filepath.Join(at, ".git")) {
			return false
		}
	}
	return true
}

// Project is the tree that a process works in.
type Project struct {
	Root     string // of the monorepo that declares the package as a workspace, else of the package
	Branch   string // that is checked out there, "detached at 1a2b3c4" without one; "" where git does not manage it
	Worktree string // name of the linked git worktree; "" for the repository's first one
}

// Project is the project that a process works in, zero where there is none or
// its folder can't be told.
func (m *Machine) Project(p hostops.Process) Project {
	dir := m.folder(p)
	if dir == "" {
		return Project{}
	}
	return m.projectOf(dir)
}

func (m *Machine) projectOf(dir string) Project {
	m.mu.Lock()
	defer m.mu.Unlock()
	project, known := m.projects[dir]
	if !known {
		if root := jsproject.Root(dir); root != "" {
			project.Root = jsproject.WorkspaceRoot(root)
			project.Branch, project.Worktree = gitOf(project.Root)
		}
		m.projects[dir] = project
	}
	return project
}

// folder is the process's working directory as a path of this process's own file
// system; "" where it is none. A process in another mount namespace (a
// container, a sandbox) may have another folder at the same path: there the two
// are compared. What lives in a container is never taken for a project of this
// machine, even where the folder is shared with it: it is its engine's to stop.
func (m *Machine) folder(p hostops.Process) string {
	if p.Dir == "" || !filepath.IsAbs(p.Dir) {
		return ""
	}
	if strings.HasSuffix(p.Dir, " (deleted)") && !plainfile.Exists(p.Dir) {
		// What was its folder is told by the path alone, and a project in
		// between went with it: only a folder that is there again is told.
		dir := strings.TrimSuffix(p.Dir, " (deleted)")
		if !plainfile.Exists(dir) || m.elsewhere(p) {
			return ""
		}
		return dir
	}
	if m.elsewhere(p) {
		return ""
	}
	return p.Dir
}

func (m *Machine) elsewhere(p hostops.Process) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	away, known := m.away[p.Identity]
	if !known {
		away = elsewhere(p)
		m.away[p.Identity] = away
	}
	return away
}

func elsewhere(p hostops.Process) bool {
	if p.PID == os.Getpid() {
		return false
	}
	here, err := hostops.Here()
	if err != nil {
		return true
	}
	there, err := hostops.PlaceOf(p.PID)
	switch {
	case err != nil:
		return true
	case !there.Contained(here):
		return false
	case there.Container != here.Container || len(there.PIDs) != len(here.PIDs):
		return true
	}
	return !hostops.SameFolder(p.PID, p.Dir)
}

// gitOf reads which branch and worktree a project's folder is of, from the files
// that git keeps (gitrepository-layout(5)), without running it.
func gitOf(root string) (branch, worktree string) {
	at := root
	for !plainfile.Exists(filepath.Join(at, ".git")) {
		if at = filepath.Dir(at); jsproject.HoldsEverything(at) {
			return "", ""
		}
	}
	dir := filepath.Join(at, ".git")
	if text, err := plainfile.Read(dir, plainfile.Settings); err == nil { // a file: "gitdir: PATH"
		path, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", ""
		}
		if dir = path; !filepath.IsAbs(dir) {
			dir = filepath.Join(at, dir)
		}
		if filepath.Base(filepath.Dir(dir)) == "worktrees" {
			worktree = filepath.Base(dir)
		}
	}
	head, err := plainfile.Read(filepath.Join(dir, "HEAD"), plainfile.Settings)
	if err != nil {
		return "", worktree
	}
	line := strings.TrimSpace(string(head))
	if ref, ok := strings.CutPrefix(line, "ref: "); ok {
		return strings.TrimPrefix(strings.TrimSpace(ref), "refs/heads/"), worktree
	}
	if len(line) >= 7 {
		branch = "detached at " + line[:7]
	}
	return branch, worktree
}

func real(dir string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		return resolved
	}
	return filepath.Clean(dir)
}
