package hostops

import (
	"path/filepath"
	"strings"
)

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
