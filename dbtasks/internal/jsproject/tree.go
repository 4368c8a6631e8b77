package jsproject

import (
	"path/filepath"
	"slices"
	"sync"
)

// Tree is a package, and the workspace that it belongs to.
type Tree struct {
	Root    string   // folder of the workspace's root; the package's own where there is no workspace
	Package *Package // of the folder that was opened
	Top     *Package // of Root; Package itself where there is no workspace, or the root has no package.json

	members func() []*Package
}

// Open reads the package in dir (absolute) and finds its workspace. The error
// is ErrNoPackage or ErrBadPackage.
func Open(dir string) (*Tree, error) {
	p, err := Read(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: WorkspaceRoot(dir), Package: p, Top: p}
	if t.Root != dir {
		if top, err := Read(t.Root); err == nil {
			t.Top = top
		}
	}
	t.members = sync.OnceValue(func() []*Package {
		var list []*Package
		for _, folder := range Workspaces(t.Root) {
			if member, err := Read(folder); err == nil {
				list = append(list, member)
			}
		}
		return list
	})
	return t, nil
}

// Members are the packages of the workspace, without its root's, in the order
// of their folders. They are read at the first call.
func (t *Tree) Members() []*Package { return t.members() }

// Reached are the packages whose code runs in this one: itself, the members of
// the workspace that it asks for and those that they ask for. Opened at the
// root of a workspace it is every member.
func (t *Tree) Reached() []*Package {
	reached := []*Package{t.Package}
	if t.Package.Dir == t.Root {
		return append(reached, t.Members()...)
	}
	for i := 0; i < len(reached); i++ {
		for _, member := range t.Members() {
			if _, asks := reached[i].Depends(member.Name); asks && member.Name != "" && !slices.Contains(reached, member) && member.Dir != t.Package.Dir {
				reached = append(reached, member)
			}
		}
	}
	return reached
}

// Depends tells whether the package, or its workspace's root, asks for another,
// and in which range.
func (t *Tree) Depends(name string) (versions string, ok bool) {
	if versions, ok = t.Package.Depends(name); !ok {
		versions, ok = t.Top.Depends(name)
	}
	return versions, ok
}

// Manager is the package manager, see the function.
func (t *Tree) Manager() string { return Manager(t.Package.Dir) }

// folders are the package's folder and those above it, up to the root.
func (t *Tree) folders() []string {
	list := []string{t.Package.Dir}
	for at := t.Package.Dir; at != t.Root && filepath.Dir(at) != at; {
		at = filepath.Dir(at)
		list = append(list, at)
	}
	return list
}
