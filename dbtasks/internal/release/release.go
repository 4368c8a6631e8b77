// Package release makes what people install: programs for each platform, npm
// packages around them, a Debian package, and their checksums. It publishes
// nothing.
package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/clitest"
)

// Platform is one that programs are made for, in Go's, Node's and Debian's words.
type Platform struct {
	OS, Arch        string // runtime.GOOS and GOARCH
	NodeOS, NodeCPU string // process.platform and process.arch
	Debian          string // dpkg's architecture; empty: no Debian there
}

// Platforms are all of them.
var Platforms = []Platform{
	{"linux", "amd64", "linux", "x64", "amd64"},
	{"linux", "arm64", "linux", "arm64", "arm64"},
	{"darwin", "amd64", "darwin", "x64", ""},
	{"darwin", "arm64", "darwin", "arm64", ""},
	{"windows", "amd64", "win32", "x64", ""},
	{"windows", "arm64", "win32", "arm64", ""},
}

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// program is the name of the platform's program.
func (p Platform) program() string {
	if p.OS == "windows" {
		return "dbtasks.exe"
	}
	return "dbtasks"
}

// Options are what a release is made of.
type Options struct {
	Root      string     // of this repository
	Out       string     // the folder that is made anew: dist
	Platforms []Platform // nil: all
	Log       func(string)
}

// maker makes one release.
type maker struct {
	Options
	version, commit string
	work            string              // for what is not kept
	licences        map[Platform][]byte // of the modules in the platform's program
}

// Make makes a release of the version that CHANGELOG.md begins with. Its error
// leaves the folder as far as it got.
func Make(ctx context.Context, o Options) (err error) {
	m := &maker{Options: o, licences: map[Platform][]byte{}}
	if m.Platforms == nil {
		m.Platforms = Platforms
	}
	if m.Root, err = filepath.Abs(o.Root); err != nil {
		return err
	}
	if m.Out, err = filepath.Abs(o.Out); err != nil {
		return err
	}
	if m.version, err = versionOf(m.Root); err != nil {
		return err
	}
	m.commit = commitOf(ctx, m.Root)
	if m.work, err = os.MkdirTemp("", "dbtasks-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.work)
	if err := errors.Join(os.RemoveAll(m.Out), os.MkdirAll(m.Out, 0o755)); err != nil {
		return err
	}
	for _, p := range m.Platforms {
		m.Log(fmt.Sprintf("compiling for %s …", p))
		if err := m.compile(p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if m.licences[p], err = notices(ctx, m.Root, m.binary(p)); err != nil {
			return err
		}
	}
	m.Log("packing …")
	if err := m.npm(ctx); err != nil {
		return err
	}
	if err := m.debian(ctx); err != nil {
		return err
	}
	return m.checksums()
}

// version is the first in the changelog: "## 0.2.0".
var heading = regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)(?:$|\s)`)

func versionOf(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	m := heading.FindSubmatch(text)
	if m == nil {
		return "", errors.New("CHANGELOG.md has no heading with a version, such as \"## 0.2.0\"")
	}
	return string(m[1]), nil
}

// commitOf names the source: its commit, and whether it has changed since.
func commitOf(ctx context.Context, root string) string {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	commit := git("rev-parse", "--short=12", "HEAD")
	switch {
	case commit == "":
		return "unknown"
	case git("status", "--porcelain") != "":
		return commit + ", changed since"
	}
	return commit
}

// binary is where a platform's program lies.
func (m *maker) binary(p Platform) string {
	name := fmt.Sprintf("dbtasks-%s-%s-%s", m.version, p.OS, p.Arch)
	return filepath.Join(m.Out, name+filepath.Ext(p.program()))
}

// compile makes a program without debugging data from a magefile that has the
// one import and nothing else.
func (m *maker) compile(p Platform) error {
	dir := filepath.Join(m.work, p.OS+"-"+p.Arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const cli = "github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
	return clitest.CompileTo(m.binary(p), m.Root, dir, "-goos="+p.OS, "-goarch="+p.Arch,
		fmt.Sprintf("-ldflags=-s -w -X '%s.Release=%s' -X '%s.Commit=%s'", cli, m.version, cli, m.commit),
		"CGO_ENABLED=0", "GOFLAGS=-mod=mod -trimpath")
}

// checksums writes those of all files, in the form that sha256sum -c reads.
func (m *maker) checksums() error {
	var b bytes.Buffer
	entries, err := os.ReadDir(m.Out)
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(m.Out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(text), e.Name())
	}
	return os.WriteFile(filepath.Join(m.Out, "SHA256SUMS"), b.Bytes(), 0o644)
}

// run runs a program in a folder.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(slices.Insert(args, 0, name), " "), err, stderr.String())
	}
	return out, nil
}

// files writes files by name below a folder; those below bin/ are programs.
func files(dir string, list map[string][]byte) error {
	for name, text := range list {
		path, mode := filepath.Join(dir, filepath.FromSlash(name)), os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") || strings.HasPrefix(name, "usr/bin/") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, mode); err != nil {
			return err
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}
