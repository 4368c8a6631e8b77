package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// secretMark stands in each fuzzed password and nowhere else.
const secretMark = "Zs3cretZ"

// FuzzURL puts anything into the place of the password and of the parameters:
// nothing panics, the host is the one that was written or the URL is refused,
// and neither errors nor the masked URL show the password.
func FuzzURL(f *testing.F) {
	for _, seed := range [][2]string{
		{"pw", "connection_limit=5"}, {"", ""}, {"p@w:x", "schema=public&pgbouncer=true"}, {"p/w", "sslmode=require"}, {"p?w", "a@b"}, {"p#w", "#"},
		{"%", "x=%"}, {"%2F%40", "options=-c%20a%3Db&connection_limit=1&pool_max_conns=2"}, {"@evil:1/", "connection_limit=x"}, {"@evil:1/x?", "&&=&"},
		{"a'b\\", "application_name='%27 host=evil"}, {"$A", "search_path=%00"}, {"[", "sslpassword=x&sslsni=1&target_session_attrs=any"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, password, query string) {
		if strings.Contains(password+query, secretMark) {
			t.Skip()
		}
		password = secretMark + password + secretMark
		raw := "postgresql://app:" + password + "@db.example:5433/shop?" + query
		u, err := parseURL(raw, Origin{Variable: DatabaseURL}, "no such folder", jsproject.ConnectionLimit)
		if err != nil {
			var e *SettingError
			if !errors.As(err, &e) || strings.Contains(e.Error(), secretMark) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		for _, text := range []string{u.Masked(), u.WithLimit(3), fmt.Sprintf("%v %+v %#v", u, *u, u), u.TooHigh(1).Error()} {
			if strings.Contains(text, secretMark) {
				t.Fatalf("%q shows the password: %s", raw, text)
			}
		}
		for pair := range strings.SplitSeq(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "%") || name == "host" || name == "port" {
				return // may name another host on purpose
			}
		}
		if len(u.Hosts) != 1 || u.Hosts[0] != (Host{"db.example", 5433}) {
			t.Fatalf("%q goes to %v", raw, u.Hosts)
		}
		cfg, err := u.ConnConfig()
		if err != nil {
			if strings.Contains(err.Error(), secretMark) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if cfg.Host != "db.example" || cfg.Port != 5433 {
			t.Fatalf("%q goes to %s:%d", raw, cfg.Host, cfg.Port)
		}
		for _, fallback := range cfg.Fallbacks {
			if fallback.Host != cfg.Host || fallback.Port != cfg.Port {
				t.Fatalf("%q falls back to %s:%d", raw, fallback.Host, fallback.Port)
			}
		}
		for name := range cfg.RuntimeParams {
			ours := []string{"application_name", "client_encoding", "search_path", "options", "DateStyle", "TimeZone", "IntervalStyle",
				"standard_conforming_strings", "role", "client_min_messages", "statement_timeout", "lock_timeout",
				"default_transaction_read_only", "default_transaction_isolation", "default_transaction_deferrable"}
			if !slices.Contains(ours, name) || name == "search_path" && cfg.RuntimeParams[name] != "pg_catalog" {
				t.Fatalf("%q sends %s to the server", raw, name)
			}
		}
	})
}

// FuzzURLWhole reads any text as a URL: nothing panics, and what is read can
// be masked and read again to the same hosts.
func FuzzURLWhole(f *testing.F) {
	for _, seed := range []string{"", "postgresql://", "postgres://[::1]:5432,a,%2Ftmp:1/x?y", "prisma://x", "postgresql:///?host=a,b&port=1,2", "postgresql://u:p@h/d?connection_limit=5&password=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw, Origin{Variable: DatabaseURL}, "no such folder", jsproject.ConnectionLimit)
		if err != nil {
			return
		}
		again, err := parseURL(u.Masked(), Origin{Variable: DatabaseURL}, "", jsproject.ConnectionLimit)
		if err != nil || fmt.Sprint(again.Hosts) != fmt.Sprint(u.Hosts) {
			t.Fatalf("%q is masked as %q: %v", raw, u.Masked(), err)
		}
		_, _ = u.PoolConfig()
	})
}

// FuzzDotenv puts anything before and after a password in .env: no grammar and
// no expansion panics or hangs, each assignment has a line of the file, and no
// trace of how values are handed to the parser is left in one.
func FuzzDotenv(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"\ufeffA=1\r\n", "\r\nB=2"}, {"A=\"", "\""}, {"export A='x'\n", "\nB=${P}$P"}, {"# c\n", " # c\n"}, {"\xff\xfe", ""}, {"A=1\n!\n", ""},
		{"A=${P:-x}\n", "\nP2='${P}'\n"}, {"A\n", "\n="}, {"P=$P\n", "\nP=${P}"}, {"A='\\", "'"}, {"A=${A}${B} $B\n", "\nB=${A}$A"}, {":", ":"}, {"A=`$&$`\n", "`"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + "P=" + secretMark + after
		for _, parse := range []grammar{dotenvGrammar, nodeGrammar} {
			file := &envFile{path: "/p/.env"}
			file.parse([]byte(text), parse)
			if file.problem != nil {
				if strings.Contains(file.problem.Error(), secretMark) {
					t.Fatalf("%q: %v", text, file.problem)
				}
				return
			}
			for _, a := range file.list {
				if a.line < 1 || a.last < a.line || a.last > 1+strings.Count(text, "\n")+strings.Count(text, "\r") || strings.ContainsAny(a.value, marks) {
					t.Fatalf("%q: %q is %q of lines %d to %d", text, a.name, a.value, a.line, a.last)
				}
			}
			for _, load := range []loader{loadDotenv, loadVite, loadNext, loadNuxt, loadPlain} {
				load([]*envFile{file}, map[string]string{"ENV": "$P"})
			}
		}
	})
}
