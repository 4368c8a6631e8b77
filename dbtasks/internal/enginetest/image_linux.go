package enginetest

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"fmt"
)

// The images are some kilobytes: folders, accounts and the entry point. Shell
// and PostgreSQL are this machine's own /usr, mounted into each container.
const (
	Image          = "postgres:test"
	ImageNoAccount = "bitnami:test" // its server's account is not called postgres
)

const serverUID = 999

//go:embed entrypoint.sh
var entrypoint string

// imageTar is the file system of an image whose server runs as account.
func imageTar(account string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, content string) error {
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write([]byte(content))
		return err
	}
	var err error
	for _, dir := range []string{"usr", "etc", "proc", "sys", "dev", "run", "root", "var", "var/lib", "var/lib/postgresql"} {
		err = first(err, add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, ""))
	}
	for _, dir := range []string{"tmp", "run/postgresql"} {
		err = first(err, add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o1777}, ""))
	}
	for name, target := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run"} {
		err = first(err, add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""))
	}
	for name, content := range map[string]string{
		"etc/passwd": fmt.Sprintf("root:x:0:0::/root:/bin/sh\n%s:x:%d:%d::/var/lib/postgresql:/bin/sh\n", account, serverUID, serverUID),
		"etc/group":  fmt.Sprintf("root:x:0:\n%s:x:%d:\n", account, serverUID),
	} {
		err = first(err, add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content))
	}
	err = first(err, add(tar.Header{Typeflag: tar.TypeReg, Name: "docker-entrypoint.sh", Mode: 0o755}, entrypoint))
	return out.Bytes(), first(err, w.Close())
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
