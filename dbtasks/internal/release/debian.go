package release

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
)

// debian makes a package for each of its platforms, where dpkg-deb is.
func (m *maker) debian(ctx context.Context) error {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		m.Log("dpkg-deb is not here: no Debian package")
		return nil
	}
	licence, err := os.ReadFile(filepath.Join(m.Root, "LICENSE"))
	if err != nil {
		return err
	}
	var man bytes.Buffer
	zip, err := gzip.NewWriterLevel(&man, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zip.Write([]byte(cli.Man("dbtasks", m.version))); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	for _, p := range m.Platforms {
		if p.Debian == "" {
			continue
		}
		program, err := os.ReadFile(m.binary(p))
		if err != nil {
			return err
		}
		list := map[string][]byte{
			"usr/bin/dbtasks":                                  program,
			"usr/share/man/man1/dbtasks.1.gz":                  man.Bytes(),
			"usr/share/doc/dbtasks/copyright":                  append(append(licence, "\n\nThe program contains these modules:\n\n"...), m.licences[p]...),
			"usr/share/bash-completion/completions/dbtasks":    completion("bash"),
			"usr/share/zsh/vendor-completions/_dbtasks":        completion("zsh"),
			"usr/share/fish/vendor_completions.d/dbtasks.fish": completion("fish"),
			"DEBIAN/control": fmt.Appendf(nil, `Package: dbtasks
Version: %s
Section: database
Priority: optional
Architecture: %s
Installed-Size: %d
Maintainer: The pgrunbook authors <noreply@pgrunbook.invalid>
Description: emergency runbook for PostgreSQL connections in development
 Frees a PostgreSQL that answers "sorry, too many clients already", says who
 holds its connections, and proves whether hot reload leaks.
`, m.version, p.Debian, len(program)>>10),
		}
		dir := filepath.Join(m.work, "debian-"+p.Debian)
		if err := files(dir, list); err != nil {
			return err
		}
		name := fmt.Sprintf("dbtasks_%s_%s.deb", m.version, p.Debian)
		if _, err := run(ctx, m.work, "dpkg-deb", "--root-owner-group", "--build", dir, filepath.Join(m.Out, name)); err != nil {
			return err
		}
	}
	return nil
}

func completion(shell string) []byte {
	script, _ := cli.Completion(shell, "dbtasks")
	return []byte(script)
}
