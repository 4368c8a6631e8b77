package checklist

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each file of testdata/kinds is a small project after a kind that people
// really have. Its first line says what is right: what becomes of its clients
// (kept, closed, leaks, restarts: not kept and no harm, unsure: something is
// not read, none: there is no client of PostgreSQL) and the limit of the first
// one, where it has one; the second line says why.
func TestEveryKindOfClientIsJudgedAsItIs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/kinds/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no projects: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, archive, _ := strings.Cut(string(text), "\n-- ")
			want, _, _ := strings.Cut(head, "\n")
			r, _ := inline(t, "-- "+archive)
			clients := slices.DeleteFunc(slices.Clone(r.Clients), func(c Client) bool { return c.Role != "app" || c.Kept == "production" })
			got := verdict(clients)
			if strings.HasPrefix(want, "unsure") && r.CantTell > 0 && got == "kept" {
				got = "unsure"
			}
			if len(clients) > 0 && clients[0].Limit > 0 {
				got += " " + strconv.Itoa(clients[0].Limit)
			}
			if got != want {
				t.Errorf("%s, want %s: %+v\n%q", got, want, r.Clients, findings(r))
			}
			for _, item := range r.Items[:2] {
				if leaking := strings.HasPrefix(want, "leaks"); item.Number == 2 && leaking != (item.Verdict == Wrong) && strings.Contains(want, " ") {
					t.Errorf("item 2 is %s: %q", item.Verdict, findings(r))
				}
			}
		})
	}
}

// verdict is what becomes of a project's clients, the worst first.
func verdict(clients []Client) string {
	worst := "none"
	for _, c := range clients {
		is := c.Kept
		switch {
		case c.Leaks == nil:
			is = "not told"
		case *c.Leaks:
			is = "leaks"
		case slices.Contains([]string{"kept", "spare", "replaced", "hot_data"}, is):
			is = "kept"
		case is != "closed":
			is = "restarts"
		}
		if worst == "none" || is == "leaks" {
			worst = is
		}
	}
	return worst
}
