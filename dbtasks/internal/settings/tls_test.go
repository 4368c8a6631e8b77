package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// authority is a certificate authority and what it has signed.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	server tls.Certificate // for the name localhost
	client tls.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	a.cert, a.key = sign(t, "authority", nil, nil)
	for name, to := range map[string]*tls.Certificate{"localhost": &a.server, "app": &a.client} {
		cert, key := sign(t, name, a.cert, a.key)
		*to = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	}
	return a
}

func sign(t *testing.T, name string, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if by == nil {
		by, byKey = template, key
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func certPEM(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func keyPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// files are a project with the authority's certificates, as Prisma looks for them.
func (a authority) files(t *testing.T) map[string]string {
	t.Helper()
	p12, err := pkcs12.Modern.Encode(a.client.PrivateKey, a.client.Leaf, []*x509.Certificate{a.cert}, "p12 s3cret")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"prisma/ca.pem": certPEM(a.cert), "root.pem": certPEM(a.cert), "junk.pem": "s3cret",
		"client.pem": certPEM(a.client.Leaf), "client.key": keyPEM(t, a.client.PrivateKey), "prisma/client.p12": string(p12),
	}
}

// handshake speaks TLS with a server that has the certificate, and tells the
// name on the certificate that the client sent.
func handshake(t *testing.T, client *tls.Config, server tls.Certificate) (clientName string, err error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan string, 1)
	go func() {
		name := ""
		if c, err := listener.Accept(); err == nil {
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			if tc := c.(*tls.Conn); tc.Handshake() == nil && len(tc.ConnectionState().PeerCertificates) > 0 {
				name = tc.ConnectionState().PeerCertificates[0].Subject.CommonName
			}
			_ = c.Close()
		}
		served <- name
	}()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", listener.Addr().String(), client)
	if err == nil {
		_ = c.Close()
	}
	return <-served, err
}

func TestTLSIsVerifiedAsTheURLSays(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	files := a.files(t)
	for query, want := range map[string]struct {
		tries             string // in order: tls, plain
		ours, other, name bool   // accepted: our authority's server, another's, ours under another host name
	}{
		"sslmode=disable":                      {"plain", false, false, false},
		"sslmode=disable&sslaccept=strict":     {"plain", false, false, false},
		"":                                     {"tls plain", true, true, true},
		"sslmode=prefer":                       {"tls plain", true, true, true},
		"sslmode=allow":                        {"plain tls", true, true, true},
		"sslmode=require":                      {"tls", true, true, true},
		"sslmode=no-verify":                    {"tls", true, true, true},
		"ssl=true":                             {"tls", true, true, true},
		"sslmode=require&sslcert=ca.pem":       {"tls", true, true, true},
		"sslmode=require&sslrootcert=root.pem": {"tls", true, true, true},
		"sslaccept=accept_invalid_certs&sslmode=require&sslcert=ca.pem": {"tls", true, true, true},
		"sslmode=verify-ca&sslrootcert=root.pem":                        {"tls", true, false, true},
		"sslmode=verify-ca&sslcert=ca.pem":                              {"tls", true, false, true},
		"sslmode=verify-full&sslrootcert=root.pem":                      {"tls", true, false, false},
		"sslmode=verify-full":                                           {"tls", false, false, false},
		"sslaccept=strict&sslcert=ca.pem":                               {"tls", true, false, false},
		"sslmode=require&sslaccept=strict&sslcert=ca.pem":               {"tls", true, false, false},
		"sslrootcert=system":                                            {"tls", false, false, false},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			dir := project(t, maps.Clone(files))
			for _, try := range []struct {
				host   string
				server tls.Certificate
				accept bool
			}{{"localhost", a.server, want.ours}, {"localhost", stranger.server, want.other}, {"other.example", a.server, want.name}} {
				c, err := Load(dir, []string{"DATABASE_URL=postgresql://app:pw@" + try.host + "/shop?connection_limit=5&" + query})
				if err != nil {
					t.Fatal(err)
				}
				u, err := c.Database()
				if err != nil {
					t.Fatal(err)
				}
				cfg, err := u.ConnConfig()
				if err != nil {
					t.Fatal(err)
				}
				tries, ways := []string{}, []*tls.Config{cfg.TLSConfig}
				for _, f := range cfg.Fallbacks {
					ways = append(ways, f.TLSConfig)
				}
				for _, way := range ways {
					if way == nil {
						tries = append(tries, "plain")
						continue
					}
					tries = append(tries, "tls")
					if _, err := handshake(t, way, try.server); (err == nil) != try.accept {
						t.Errorf("%s: %v, accepted should be %v", try.host, err, try.accept)
					}
				}
				if got := strings.Join(tries, " "); got != want.tries {
					t.Errorf("ways to connect: %s, want %s", got, want.tries)
				}
			}
		})
	}
}

func TestTheClientsCertificateIsSent(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	dir := project(t, a.files(t))
	for query, want := range map[string]string{
		"sslmode=require": "",
		"sslmode=require&sslcert=client.pem&sslkey=client.key":                                            "app",
		"sslmode=verify-full&sslcert=client.pem&sslkey=client.key&sslrootcert=root.pem":                   "app",
		"sslidentity=client.p12&sslpassword=p12%20s3cret":                                                 "app",
		"sslidentity=client.p12&sslpassword=p12%20s3cret&sslaccept=strict&sslcert=ca.pem":                 "app",
		"sslidentity=" + encode(filepath.Join(dir, "prisma", "client.p12")) + "&sslpassword=p12%20s3cret": "app",
	} {
		c, err := Load(dir, []string{"DATABASE_URL=postgresql://app:pw@localhost/shop?connection_limit=5&" + query})
		if err != nil {
			t.Fatal(err)
		}
		u, err := c.Database()
		if err != nil {
			t.Fatal(err)
		}
		pool, err := u.PoolConfig()
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if name, err := handshake(t, pool.ConnConfig.TLSConfig, a.server); name != want || err != nil {
			t.Errorf("%s: the server sees the certificate of %q, %v", query, name, err)
		}
	}
}

func TestWrongCertificateFilesNameTheParameter(t *testing.T) {
	t.Parallel()
	dir := project(t, newAuthority(t).files(t))
	for query, says := range map[string]string{
		"sslcert=nope.pem":                          "sslcert",
		"sslmode=require&sslcert=nope.pem":          "sslcert",
		"sslrootcert=nope.pem":                      "sslrootcert",
		"sslrootcert=prisma":                        "sslrootcert",
		"sslmode=verify-ca&sslrootcert=junk.pem":    "sslrootcert",
		"sslaccept=strict&sslcert=junk.pem":         "sslcert",
		"sslcert=client.pem&sslkey=nope.key":        "sslkey",
		"sslcert=nope.pem&sslkey=client.key":        "sslcert",
		"sslcert=client.pem&sslkey=junk.pem":        "sslkey",
		"sslkey=client.key":                         "sslcert",
		"sslidentity=nope.p12":                      "sslidentity",
		"sslidentity=junk.pem&sslpassword=s3cret":   "sslidentity",
		"sslidentity=client.p12&sslpassword=s3cret": "sslpassword",
		"sslidentity=client.p12":                    "sslpassword",
	} {
		c, err := Load(dir, []string{"DATABASE_URL=postgresql://app:s3cret@localhost/shop?connection_limit=5&" + query})
		if err != nil {
			t.Fatal(err)
		}
		u, err := c.Database()
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.ConnConfig()
		if err == nil {
			t.Errorf("%s is taken", query)
			continue
		}
		if e := settingError(t, err); e.Variable != DatabaseURL || strings.Contains(e.Error(), "s3cret") {
			t.Errorf("%s: %v", query, e)
		}
		wantContains(t, err.Error(), says)
		if _, err := u.PoolConfig(); err == nil {
			t.Errorf("%s is taken for a pool", query)
		}
	}
}

func TestRelativeCertificatePathsAreFromPrismaThenFromTheRoot(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"prisma/both": "1", "both": "2", "root": "3"})
	u, err := parseURL("postgresql://h", Origin{}, dir, jsproject.ConnectionLimit)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"both": "1", "./both": "1", "root": "3", "../root": "3", filepath.Join(dir, "both"): "2"} {
		if _, data, err := u.file("sslcert", name); err != nil || string(data) != want {
			t.Errorf("%s is %q, want %q, %v", name, data, want, err)
		}
	}
}
