package hostops

import (
	"os"
	"path/filepath"
	"strings"
)

// Project is the nearest folder upwards with package.json, go.mod or .git;
// empty when there is none.
func Project(dir string) string {
	for d := filepath.Clean(dir); d != "." && dir != ""; d = filepath.Dir(d) {
		for _, mark := range []string{"package.json", "go.mod", ".git"} {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return d
			}
		}
		if filepath.Dir(d) == d {
			break
		}
	}
	return ""
}

// Under tells whether dir is root or lies below it, symbolic links resolved:
// /home/me/shop2 is not under /home/me/shop. The root of the file system holds
// everything and is nobody's project.
func Under(dir, root string) bool {
	dir, root = resolved(dir), resolved(root)
	if root == "" || filepath.Dir(root) == root {
		return false
	}
	rel, err := filepath.Rel(root, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func resolved(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(strings.TrimSuffix(dir, " (deleted)"))
}
