package machine

import (
	"os"
	"path/filepath"
	"testing"
)

// files makes files (with their text) and, where the text is "/", folders.
func files(t *testing.T, root string, list map[string]string) {
	t.Helper()
	for name, text := range list {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if text == "/" {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if text != "/" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWhatHasAGitOfItsOwnIsAnotherProject(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	root := filepath.Join(base, "shop")
	files(t, root, map[string]string{
		".git/HEAD": "ref: refs/heads/main\n", "package.json": "{}",
		"apps/web/package.json": "{}", "src/lib": "/",
		".claude/worktrees/x/.git": "gitdir: " + root + "/.git/worktrees/x\n", ".claude/worktrees/x/apps/web": "/",
		".worktrees/y/.git": "gitdir: ../../.git/worktrees/y\n",
		"vendor/lib/.git":   "gitdir: ../../.git/modules/lib\n", "vendor/lib/src": "/",
		"vendor/clone/.git/HEAD": "ref: refs/heads/main\n", "vendor/clone/src": "/",
	})
	files(t, base, map[string]string{"shop2/package.json": "{}"})
	for dir, want := range map[string]bool{
		"": true, "src/lib": true, "apps/web": true, "vendor": true, ".claude": true, ".claude/worktrees": true,
		".claude/worktrees/x": false, ".claude/worktrees/x/apps/web": false, ".worktrees/y": false,
		"vendor/lib": false, "vendor/lib/src": false, "vendor/clone/src": false, "../shop2": false, "..": false,
	} {
		if got := Within(filepath.Join(root, dir), root); got != want {
			t.Errorf("Within(%q): %v, want %v", dir, got, want)
		}
	}
	worktree := filepath.Join(root, ".claude/worktrees/x")
	if !Within(filepath.Join(worktree, "apps/web"), worktree) || Within(root, worktree) {
		t.Error("a worktree is a project of its own, and the tree around it is none of it")
	}
}

func TestHomeAndWhatIsAboveItAreNobodysProject(t *testing.T) {
	base := t.TempDir()
	home := filepath.Join(base, "home", "me")
	t.Setenv("HOME", home)
	files(t, home, map[string]string{"package.json": "{}", "shop/package.json": "{}", "notes": "/"})
	if Within(filepath.Join(home, "shop"), home) || Within(home, home) || Within(home, "/") {
		t.Error("a project was taken for the home folder's")
	}
	if !Within(filepath.Join(home, "shop"), filepath.Join(home, "shop")) {
		t.Error("a project below the home folder is one")
	}
	m := &Machine{projects: map[string]Project{}}
	for dir, want := range map[string]string{"notes": "", "shop": filepath.Join(home, "shop")} {
		p := m.projectOf(filepath.Join(home, dir))
		if p.Root != want {
			t.Errorf("%s is of project %q, want %q", dir, p.Root, want)
		}
	}
}

func TestBranchAndWorktreeAreReadFromGitsFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	files(t, root, map[string]string{
		".git/HEAD": "ref: refs/heads/feature/pay\n", "package.json": "{}", "pkg/go.mod": "module x\n",
		".git/worktrees/fix/HEAD": "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d\n", "fix/.git": "gitdir: " + root + "/.git/worktrees/fix\n",
		".git/modules/sub/HEAD": "ref: refs/heads/main\n", "sub/.git": "gitdir: ../.git/modules/sub\n",
		"strange/.git": "who knows\n",
	})
	for dir, want := range map[string]Project{
		"pkg":     {Root: filepath.Join(root, "pkg"), Branch: "feature/pay"},
		"fix":     {Root: filepath.Join(root, "fix"), Branch: "detached at 1a2b3c4", Worktree: "fix"},
		"sub":     {Root: filepath.Join(root, "sub"), Branch: "main"},
		"strange": {Root: filepath.Join(root, "strange")},
	} {
		m := &Machine{projects: map[string]Project{}}
		if got := m.projectOf(filepath.Join(root, dir)); got != want {
			t.Errorf("%s: %+v, want %+v", dir, got, want)
		}
	}
}

func TestADeclaredWorkspaceIsOfItsMonorepo(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][2]string{
		"npm":  {"package.json", `{"workspaces":["apps/*"]}`},
		"pnpm": {"pnpm-workspace.yaml", "packages:\n  - apps/*\n"},
		"go":   {"go.work", "go 1.26\n\nuse (\n\t./apps/web\n)\n"},
	} {
		root := t.TempDir()
		files(t, root, map[string]string{".git/HEAD": "ref: refs/heads/main\n", file[0]: file[1], "apps/web/package.json": "{}", "apps/web/go.mod": "module web\n", "other/package.json": "{}"})
		m := &Machine{projects: map[string]Project{}}
		if got := m.projectOf(filepath.Join(root, "apps/web")).Root; got != root {
			t.Errorf("%s: %s, want the monorepo's root", name, got)
		}
		if got := m.projectOf(filepath.Join(root, "other")).Root; got != filepath.Join(root, "other") {
			t.Errorf("%s: %s is no workspace", name, got)
		}
	}
}
