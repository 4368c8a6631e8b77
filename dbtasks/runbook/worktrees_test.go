//go:build unix

package runbook_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// repository is a project under git with a worktree inside it, as an agent
// makes them. The files are git's; no git is needed.
func repository(t *testing.T) (root, worktree string) {
	t.Helper()
	root = project(t)
	worktree = filepath.Join(root, ".claude", "worktrees", "pay")
	for path, text := range map[string]string{
		filepath.Join(root, ".git/HEAD"):               "ref: refs/heads/main\n",
		filepath.Join(root, ".git/worktrees/pay/HEAD"): "ref: refs/heads/agent/pay\n",
		filepath.Join(worktree, ".git"):                "gitdir: " + filepath.Join(root, ".git/worktrees/pay") + "\n",
		filepath.Join(worktree, "package.json"):        `{"name":"shop","scripts":{"dev":"true"}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root, worktree
}

func TestTwoWorktreesWithOneDatabaseCleanUpWithoutEndingEachOthersSessions(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	root, worktree := repository(t)
	main := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=main"), Sessions: 4, Dir: root})
	agent := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=agent"), Sessions: 3, Dir: worktree})
	url := "DATABASE_URL=" + db.URL("connection_limit=5")
	fromRoot, fromWorktree := opened(t, root, url), opened(t, worktree, url)

	who, err := fromRoot.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(who, main.PID); !ok || !src.Ours || src.Branch != "main" || src.Worktree != "" || !strings.Contains(src.Name(), "branch main") {
		t.Errorf("the first checkout's: %+v", src)
	}
	if src, ok := sourceOf(who, agent.PID); !ok || src.Ours || src.Branch != "agent/pay" || src.Worktree != "pay" || !strings.Contains(src.Name(), "worktree pay, branch agent/pay") {
		t.Errorf("the worktree's: %+v", src)
	}

	r, err := fromRoot.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || !r.OK || r.Ended != 4 || len(r.Spared) != 3 || len(r.InUseBy) != 1 || r.InUseBy[0].PID != agent.PID || r.InUseBy[0].Count != 3 {
		t.Errorf("from the first checkout: %+v, %v", r, err)
	}
	if r, err = fromWorktree.Cleanup(ctx, runbook.CleanupOptions{Dry: true}); err != nil || len(r.Plan) != 3 {
		t.Errorf("from the worktree: %+v, %v", r, err)
	}
	if r, err = fromRoot.Cleanup(ctx, runbook.CleanupOptions{Force: true}); err != nil || r.Ended != 3 {
		t.Errorf("forced: %+v, %v", r, err)
	}
}

func TestACleanupThatLeavesNoSlotFreeIsNotDone(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 12})
	db := s.NewDatabase()
	root, worktree := repository(t)
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=1"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	agent := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=agent"), Sessions: 9, Dir: worktree})
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || r.OK || r.Ended != 0 || r.Free != 0 || !strings.Contains(r.Next, "db:cleanup -force") || len(r.InUseBy) != 1 || r.InUseBy[0].PID != agent.PID {
		t.Errorf("%+v, %v: want not done, with the next command", r, err)
	}
	if r, err = d.Cleanup(ctx, runbook.CleanupOptions{Force: true}); err != nil || !r.OK || r.Ended != 9 {
		t.Errorf("forced: %+v, %v", r, err)
	}
}
