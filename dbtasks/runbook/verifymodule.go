package runbook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// clientModules are the files that make the project's database client, as
// dev:check finds them.
func clientModules(ctx context.Context, deps *Deps) ([]string, error) {
	found, err := checklist.Check(ctx, checklist.Options{Config: deps.Config, Cores: runtime.NumCPU(), NoServer: "not asked"})
	if err != nil {
		return nil, err
	}
	files := []string{}
	for _, c := range found.Clients {
		if !slices.Contains(files, c.File) && reportsItself(c.File) {
			files = append(files, c.File)
		}
	}
	if len(files) == 0 {
		return nil, &Failure{Exit: ExitNotDone, Code: "no_client", Message: "Nothing is proven: no module of this project was found that makes a client of Prisma, node-postgres, postgres.js or drizzle.", Next: deps.Command("dev:check")}
	}
	return files, nil
}

// reportsItself tells whether a line of JavaScript can be added at a file's
// end; of .svelte and .vue files that would be markup.
func reportsItself(file string) bool {
	return slices.Contains([]string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"}, filepath.Ext(file))
}

// reportMark ends the line that a module gets at its end, and is how the next
// run knows one that was left (both this process and its keeper killed).
const reportMark = "// dbtasks dev:verify: remove this line\n"

// reportStart begins that line.
const reportStart = "\n;void fetch("

// module is one client module while the proof lasts. A keeper process holds
// what it was and puts it back when this process closes the pipe or is gone.
type module struct {
	path     string
	original []byte
	keeper   *exec.Cmd
	in       io.WriteCloser
}

const verifyKeeper = "verify-keeper"

func init() { reexec.Register(verifyKeeper, keepModule) }

// kept is what the keeper is told.
type kept struct {
	Path     string
	Original []byte
	Modified time.Time
}

// openModules starts a keeper for each file. A line that an earlier run left is
// taken away first.
func openModules(root string, files []string) (list []*module, err error) {
	defer func() {
		if err != nil {
			closeModules(list)
		}
	}()
	for _, file := range files {
		path, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return list, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return list, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return list, err
		}
		m := &module{path: path, original: withoutReport(text)}
		if err := m.keep(info.ModTime()); err != nil {
			return list, fmt.Errorf("start what puts %s back: %w", file, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// withoutReport is a module without the line of a run that was killed.
func withoutReport(text []byte) []byte {
	if !bytes.HasSuffix(text, []byte(reportMark)) {
		return text
	}
	if i := bytes.LastIndex(text, []byte(reportStart)); i >= 0 {
		return text[:i]
	}
	return text
}

func (m *module) keep(modified time.Time) error {
	m.keeper = reexec.Command(context.Background(), verifyKeeper)
	setOwnSession(m.keeper) // Ctrl+C is not for it
	in, err := m.keeper.StdinPipe()
	if err != nil {
		return err
	}
	out, err := m.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.keeper.Start(); err != nil {
		return err
	}
	m.in = in
	if err := json.NewEncoder(in).Encode(kept{m.path, m.original, modified}); err != nil {
		return err
	}
	_, err = io.ReadFull(out, make([]byte, 1)) // it has it
	return err
}

// errEdited: somebody else has written a module since the proof began.
var errEdited = errors.New("it was edited meanwhile")

// touch changes the module so that it reports its evaluation to this URL. What
// it was is never written again, so that no full disk and no kill can take it.
func (m *module) touch(url string) error {
	line := fmt.Appendf(nil, "%s%q).catch(() => {}); %s", reportStart, url, reportMark)
	now, err := os.ReadFile(m.path)
	if err != nil {
		return err
	}
	if !unedited(now, m.original) {
		return errEdited
	}
	f, err := os.OpenFile(m.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, int64(len(m.original)))
	if err == nil {
		err = f.Truncate(int64(len(m.original) + len(line)))
	}
	return errors.Join(err, f.Close())
}

// unedited tells whether a module is what it was, with or without one line of
// ours, or the beginning of one.
func unedited(now, original []byte) bool {
	line, unchanged := bytes.CutPrefix(now, original)
	if !unchanged || len(line) <= len(reportStart) {
		return unchanged && strings.HasPrefix(reportStart, string(line))
	}
	return bytes.HasPrefix(line, []byte(reportStart)) && bytes.Count(bytes.TrimSuffix(line, []byte("\n")), []byte("\n")) == 1
}

// closeModules has every keeper put its file back, and waits for it.
func closeModules(list []*module) {
	for _, m := range list {
		_ = m.in.Close()
		_ = m.keeper.Wait()
	}
}

// keepModule is the keeper's main: it waits for the end of its standard input
// and puts the file back, unless somebody else has written it since.
func keepModule([]string) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	var k kept
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&k); err != nil {
		return 1
	}
	if _, err := os.Stdout.Write([]byte{'.'}); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	now, err := os.ReadFile(k.Path)
	if err == nil && bytes.Equal(now, k.Original) {
		return 0
	}
	if err != nil || !unedited(now, k.Original) {
		return 1 // edited meanwhile: the edit stays
	}
	if err := errors.Join(os.Truncate(k.Path, int64(len(k.Original))), os.Chtimes(k.Path, time.Time{}, k.Modified)); err != nil {
		return 1
	}
	return 0
}

// osWords are the operating system's words of a file's error, without the path.
func osWords(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
