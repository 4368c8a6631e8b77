//go:build linux

package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func init() { reexec.Register("reload", reloadMain) }

// clientFile makes the stand-in's database client, two days ago.
const clientFile, clientText = "src/lib/server/db.ts", "import { Pool } from 'pg';\r\nexport const pool = new Pool({ connectionString: process.env.DATABASE_URL });\n// no newline at the end"

var clientTime = time.Now().Add(-48 * time.Hour).Truncate(time.Second)

// verifyFaults: the proof on a dev server that does what it should not.
var verifyFaults = []fault{
	{name: "nothing is wrong", inject: reloading(""), args: "dev:verify -reloads=3", says: "does not leak", bound: 20 * time.Second, after: restored},
	{name: "the dev server dies under it", inject: reloading("DIE_AFTER=3"), args: "dev:verify", exit: 1, says: "ended during the proof", after: restored},
	{name: "the dev server ends at once", inject: func(s *scene) { reloading("")(s); s.env["DBTASKS_DEV_COMMAND"] = "echo no such module; exit 1" }, args: "dev:verify", exit: 1, says: "ended before it answered", after: restored},
	{name: "the page does not use the database", inject: reloading("NO_SESSION=1"), args: "dev:verify", exit: 1, says: "without a session of the database", after: restored},
	{name: "the module is edited meanwhile", inject: reloading("EDIT_AFTER=3"), args: "dev:verify", exit: 1, says: "it was edited meanwhile", after: func(s *scene) {
		if text := s.read(clientFile); text != "export const mine = 1;\n" {
			s.Errorf("the edit became %q", text)
		}
	}},
	{name: "the module may not be written", inject: func(s *scene) { reloading("")(s); s.chmod(clientFile, 0o444) }, args: "dev:verify", exit: 1, says: "permission denied", after: restored, as: ordinary},
}

// verifying is the moment at which a module is changed.
var verifying = moment{name: "dev:verify, between two reloads", args: "dev:verify -reloads=500", inject: reloading(""), reached: func(s *scene) bool { return s.said("reload 2 of") }, after: restored}

// reloading makes a dev server that evaluates its client module again when it
// was changed the project's.
func reloading(env string) func(*scene) {
	return func(s *scene) {
		_, node := programs(s.T)
		s.write("package.json", `{"name":"shop","scripts":{"dev":"exit 0"},"dependencies":{"pg":"8"},"devDependencies":{"vite":"8"}}`)
		s.must(os.MkdirAll(filepath.Join(s.project, filepath.Dir(clientFile)), 0o755))
		path := s.write(clientFile, clientText)
		s.must(os.Chtimes(path, clientTime, clientTime))
		s.env["APP_URL"] = s.db().URL("application_name=app")
		s.env["DBTASKS_DEV_COMMAND"] = env + " DBTASKS_ROLE=reload '" + node + "'"
	}
}

// restored checks that the client module is as it was, byte for byte and with
// its time; a keeper may still be at it.
func restored(s *scene) {
	s.Helper()
	s.eventually("the module is as it was", func() bool {
		info, err := os.Stat(filepath.Join(s.project, clientFile))
		return err == nil && info.ModTime().Equal(clientTime) && s.read(clientFile) == clientText
	})
}

func (s *scene) read(name string) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.project, name))
	s.must(err)
	return string(text)
}

var reports = regexp.MustCompile(`fetch\("([^"]+)"\)`)

// reloadMain is a dev server with one session of the database, which reports
// what its client module reports when it is evaluated.
//
// DIE_AFTER and EDIT_AFTER say after how many evaluations it dies, or edits the
// module as a person does. NO_SESSION needs no database.
func reloadMain([]string) int {
	number := func(name string) (n int) { _, _ = fmt.Sscan(os.Getenv(name), &n); return n }
	dieAfter, editAfter := number("DIE_AFTER"), number("EDIT_AFTER")
	ctx := context.Background()
	var conn *pgx.Conn
	if os.Getenv("NO_SESSION") == "" {
		var err error
		if conn, err = pgx.Connect(ctx, os.Getenv("APP_URL")); err != nil {
			fmt.Println("no session")
			return 1
		}
	}
	var mu sync.Mutex
	last, evaluated := "", 0
	page := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text, err := os.ReadFile(clientFile)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if m := reports.FindSubmatch(text); m != nil && string(text) != last {
			last = string(text)
			if evaluated++; evaluated == dieAfter {
				os.Exit(1)
			}
			if answer, err := http.Get(string(m[1])); err == nil {
				_ = answer.Body.Close()
			}
			if evaluated == editAfter {
				_ = os.WriteFile(clientFile, []byte("export const mine = 1;\n"), 0o644)
			}
		}
		if conn != nil && conn.Ping(ctx) != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, strings.Repeat("page ", 3))
	}
	fmt.Println("listening")
	go func() { time.Sleep(time.Minute); os.Exit(1) }() // nobody waits for it
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(page)))
	return 1
}
