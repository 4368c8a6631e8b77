package jscode

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// leftOut are folders of what others wrote or a build made, where git does not
// say so already.
var leftOut = []string{"node_modules", ".git", ".svelte-kit", ".next", ".nuxt", ".output", ".vercel", ".netlify", ".turbo", ".cache",
	"dist", "build", "out", "coverage", "vendor", ".yarn", ".pnpm-store", "bower_components"}

// Files lists the project's own files, relative with slashes, sorted: what
// git tracks or would track where it is a repository, else all below root but
// the usual folders. git tells whether it was asked.
func Files(ctx context.Context, root string) (files []string, git bool, err error) {
	out, err := GitOutput(ctx, root, "ls-files", "-z", "-co", "--exclude-standard", "--", ".")
	if err != nil {
		files, err = walk(root)
		return files, false, err
	}
	for name := range bytes.SplitSeq(out, []byte{0}) {
		file := string(name)
		if file != "" && !slices.ContainsFunc(strings.Split(path.Dir(file), "/"), IsLeftOut) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), true, nil
}

// IsLeftOut: a build folder may be tracked by mistake, node_modules too.
func IsLeftOut(folder string) bool { return slices.Contains(leftOut, folder) }

// GitOutput asks git; a repository that hangs (a network file system) counts
// as none.
func GitOutput(ctx context.Context, root string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.fsmonitor=false"}, args...)...)
	cmd.Dir = root
	// GIT_DIR of a hook that runs this must not name another repository.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GIT_") })
	return cmd.Output()
}

func walk(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == root:
			return err
		case err != nil: // a folder of another user
			return fs.SkipDir
		case d.IsDir() && name != root && IsLeftOut(d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err == nil {
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	slices.Sort(files)
	return files, err
}
