package pgops

import (
	"strings"
	"testing"
)

func TestOfAStatementItsFirstWordsAreKeptAndItsLiteralsAreNot(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                          "SELECT 1",
		"":                                  "",
		"ALTER ROLE app PASSWORD 'hunter2'": "ALTER ROLE app PASSWORD '…'",
		"ALTER ROLE app PASSWORD 'it''s hunter2' VALID UNTIL 'x'": "ALTER ROLE app PASSWORD '…' VALID UNTIL '…'",
		"ALTER ROLE app PASSWORD E'\\'hunter2'":                   "ALTER ROLE app PASSWORD E'…'",
		`SELECT 'a\', 'hunter2'`:                                  "SELECT '…'",
		`ALTER ROLE "o'neil" PASSWORD 'hunter2'`:                  `ALTER ROLE "o'neil" PASSWORD '…'`,
		"-- it's\nALTER ROLE a PASSWORD 'hunter2'":                "ALTER ROLE a PASSWORD '…'",
		"/* it's */ ALTER ROLE a PASSWORD 'hunter2'":              "ALTER ROLE a PASSWORD '…'",
		"/* it's /* */ ' */ ALTER ROLE a PASSWORD 'hunter2'":      "",
		`SELECT "cut off`:                                         `SELECT "cut off`,
		"SELECT $$hunter2$$, $1":                                  "SELECT '…', $1",
		"SELECT $a$hunter2 $b$ $a$ FROM t":                        "SELECT '…' FROM t",
		"ALTER ROLE app PASSWORD 'hunter2 cut off by the ser":     "ALTER ROLE app PASSWORD '…'",
		"SELECT $x$hunter2 cut off":                               "SELECT '…'",
		"\n\tSELECT *\n\t  FROM\x1b[2J t ":                        "SELECT * FROM [2J t",
		"SELECT " + strings.Repeat("ä", 100):                      "SELECT " + strings.Repeat("ä", 36),
	} {
		if got := firstWordsOf(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

func FuzzFirstWords(f *testing.F) {
	for _, seed := range []string{"SELECT 'x'", "E'\\'", "$$ $a$ $", "'' ' ''' "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got := firstWordsOf(query)
		if strings.ContainsAny(got, "\n\t\x1b\x00") || len(got) > queryLength+3*len(query) {
			t.Errorf("%q: %q", query, got)
		}
		const secret = "hunter2"
		query = strings.NewReplacer("'", "", "$", "", `"`, "", "/*", "", "--", "", "*", "", "-", "", secret, "").Replace(query)
		for _, literal := range []string{"'" + secret + "'", "'" + query + "', '" + secret + "'", "E'" + query + secret, "$$" + query + secret + "$$"} {
			if got := firstWordsOf(query + literal); strings.Contains(got, secret) {
				t.Errorf("%q: %q", query+literal, got)
			}
		}
	})
}
