package settings

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"software.sslmate.com/src/go-pkcs12"
)

// tlsKeywords translates Prisma's TLS parameters to libpq's.
//
//   - sslaccept=strict verifies certificate and host name, whatever sslmode
//     says but disable. Without it sslmode alone decides: only verify-ca and
//     verify-full verify. libpq would also verify at require when there is an
//     authority's certificate; Prisma does not.
//   - sslcert is the authority's certificate (Prisma's meaning), or with an
//     sslkey beside it the client's (libpq's).
//
// Files that are named must be there also where sslmode makes no use of them.
func (u *URL) tlsKeywords(set map[string]string) error {
	t := u.tls
	if t.mode != "" {
		set["sslmode"] = t.mode
	}
	if t.accept == "strict" && t.mode != "disable" {
		set["sslmode"] = "verify-full"
	}
	root, rootName := t.rootCert, "sslrootcert"
	if t.key != "" {
		if t.cert == "" {
			return u.Origin.wrong("has an sslkey without an sslcert: name the client's certificate too", u.line("sslcert", "client.crt"))
		}
		var err error
		if set["sslcert"], _, err = u.file("sslcert", t.cert); err != nil {
			return err
		}
		if set["sslkey"], _, err = u.file("sslkey", t.key); err != nil {
			return err
		}
		set["sslpassword"] = u.secrets().sslPassword
	} else if root == "" {
		root, rootName = t.cert, "sslcert"
	}
	if root == "system" {
		set["sslrootcert"] = root
		return nil
	}
	if root == "" {
		return nil
	}
	path, data, err := u.file(rootName, root)
	if err != nil {
		return err
	}
	if set["sslmode"] == "verify-ca" || set["sslmode"] == "verify-full" {
		if !x509.NewCertPool().AppendCertsFromPEM(data) {
			return u.Origin.wrong(fmt.Sprintf("names with %s a file that holds no certificate in PEM form: %s", rootName, path), "")
		}
		set["sslrootcert"] = path
	}
	return nil
}

// file reads the file of a parameter. Relative paths are Prisma's: from the
// folder prisma/ of the project, else from its root.
func (u *URL) file(parameter, name string) (path string, data []byte, err error) {
	candidates := []string{name}
	if !filepath.IsAbs(name) {
		candidates = []string{filepath.Join(u.root, "prisma", name), filepath.Join(u.root, name)}
	}
	for _, path := range candidates {
		if data, err := os.ReadFile(path); err == nil {
			return path, data, nil
		}
	}
	return "", nil, u.Origin.wrong(fmt.Sprintf("names with %s a file that can't be read: %s", parameter, strings.Join(candidates, " or ")), "")
}

// addIdentity gives the client's certificate of Prisma's sslidentity, a PKCS#12
// file, to each way of connecting with TLS.
func (u *URL) addIdentity(cfg *pgx.ConnConfig) error {
	if u.tls.identity == "" {
		return nil
	}
	path, data, err := u.file("sslidentity", u.tls.identity)
	if err != nil {
		return err
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, u.secrets().sslPassword)
	if err != nil {
		return u.Origin.wrong(fmt.Sprintf("names with sslidentity a file that the sslpassword does not open, or that is no PKCS#12 file: %s", path), "")
	}
	certificate := tls.Certificate{PrivateKey: key, Leaf: leaf}
	for _, c := range append([]*x509.Certificate{leaf}, chain...) {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	configs := []*tls.Config{cfg.TLSConfig}
	for _, fallback := range cfg.Fallbacks {
		configs = append(configs, fallback.TLSConfig)
	}
	for _, c := range configs {
		if c != nil { // nil is a try without TLS, or over a Unix socket
			c.Certificates = []tls.Certificate{certificate}
		}
	}
	return nil
}
