package runbook

import (
	"bytes"
	"cmp"
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
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// clients are what dev:check finds that makes the clients of the project's app,
// or, where no client is the app's, those of scripts and tests.
type clients struct {
	modules []string // files that can report that they were evaluated
	markup  []string // files that can't: .astro, .svelte, .vue
	limit   int      // how many sessions the clients may have together
	static  bool     // the dev script says that nothing is evaluated again: "node server.js"
}

func findClients(ctx context.Context, rb *Runbook) (c clients, err error) {
	found, err := checklist.Check(ctx, checklist.Options{Config: rb.cfg, Cores: runtime.NumCPU(), NoServer: "not asked"})
	if err != nil {
		return c, err
	}
	app := slices.ContainsFunc(found.Clients, func(made checklist.Client) bool { return made.Role == "app" })
	c.static = rb.cfg.DevCommand == "" // else it is not the dev script's word that counts
	for _, made := range found.Clients {
		if app && made.Role != "app" {
			continue
		}
		c.limit += cmp.Or(made.Limit, driversLimit)
		c.static = c.static && made.Reload == jsproject.NoReload.String()
		list := &c.markup
		if reportsItself(made.File) {
			list = &c.modules
		}
		if !slices.Contains(*list, made.File) {
			*list = append(*list, made.File)
		}
	}
	if len(c.modules)+len(c.markup) == 0 {
		return c, &Failure{Exit: ExitNotDone, Code: "no_client", Message: "Nothing is proven: no module of this project was found that makes a client of PostgreSQL.", Next: rb.Command("dev:check") + " says what was read"}
	}
	return c, nil
}

// driversLimit is how many connections a client without a limit takes: most
// drivers' default.
const driversLimit = 10

// reportsItself tells whether a line of JavaScript can be added at a file's
// end; of .svelte and .vue files that would be markup.
func reportsItself(file string) bool {
	return slices.Contains([]string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"}, filepath.Ext(file))
}

// module is one client module while the proof lasts. It gets a line at its end,
// because only the module itself can say that it was evaluated; the line is
// taken out of whatever the file has become: by this process, and by a keeper
// process when this one is gone.
type module struct {
	name     string // as it is shown: relative to the project
	path     string
	original []byte // without a line of ours
	modified time.Time
	keeper   *exec.Cmd
	in       io.WriteCloser
}

const verifyKeeper = "verify-keeper"

// kept is what the keeper is told.
type kept struct {
	Path     string
	Original []byte
	Modified time.Time
}

// openModules starts a keeper for each file, which has to lie in the folder
// within, links resolved. A line that an earlier run left is
// taken away first.
func openModules(root, within string, files []string) (list []*module, err error) {
	defer func() {
		if err != nil {
			closeModules(list)
		}
	}()
	if within, err = filepath.EvalSymlinks(within); err != nil {
		return nil, err
	}
	for _, file := range files {
		path, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return list, err
		}
		if !machine.Within(filepath.Dir(path), within) {
			return list, &Failure{Exit: ExitRefused, Code: "outside_project", Message: fmt.Sprintf("Refused: %s is a link out of the project, to %s. Nothing was touched.", file, path),
				Next: "put the client into a file of the project"}
		}
		info, err := os.Stat(path)
		if err != nil {
			return list, err
		}
		text, err := plainfile.Read(path, plainfile.Settings)
		if err != nil {
			return list, err
		}
		m := &module{name: file, path: path, modified: info.ModTime(), original: withoutReport(text)}
		if err := m.keep(); err != nil {
			return list, fmt.Errorf("start what takes the line out of %s again: %w", file, err)
		}
		list = append(list, m)
	}
	return list, nil
}

func (m *module) keep() error {
	m.keeper = reexec.Command(context.Background(), verifyKeeper)
	setOwnSession(m.keeper)                           // Ctrl+C is not for it
	m.keeper.Env = m.keeper.Env[len(m.keeper.Env)-1:] // the role; the rest has passwords
	m.keeper.Dir = string(filepath.Separator)         // nor what is meant for the project's processes
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
	if err := json.NewEncoder(in).Encode(kept{m.path, m.original, m.modified}); err != nil {
		return err
	}
	_, err = io.ReadFull(out, make([]byte, 1)) // it has it
	return err
}

// errEdited: somebody else has written a module since the proof began.
var errEdited = errors.New("it was edited meanwhile")

// touch changes the module so that it reports its evaluation to this URL. An
// edit of somebody else's ends the proof: it was evaluated for that, too.
func (m *module) touch(url string) error {
	_, err := rewrite(m.path, func(now []byte) ([]byte, error) {
		text := withoutReport(now)
		if !bytes.Equal(text, m.original) {
			return text, errEdited
		}
		return append(text, reportLine(url)...), nil
	})
	return err
}

// restore takes our line out of what the file is by now. It says what was seen:
// edited, that somebody else has written it; an error, that the line may be there.
func (m *kept) restore() (edited bool, err error) {
	text, err := rewrite(m.Path, func(now []byte) ([]byte, error) { return withoutReport(now), nil })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil // and the line with it
	case err != nil:
		if now, readErr := os.ReadFile(m.Path); readErr == nil && bytes.Equal(now, withoutReport(now)) {
			return !bytes.Equal(now, m.Original), nil // it can't be written, and there is nothing to write
		}
		return false, err
	case !bytes.Equal(text, m.Original):
		return true, nil
	}
	if err := os.Chtimes(m.Path, time.Time{}, m.Modified); err != nil {
		return false, nil // as it was, but for its time
	}
	return false, nil
}

// closeModules takes our lines out, and has every keeper do so as well: of the
// two one may have been killed. It says in sentences what became of the files.
func closeModules(list []*module) (seen []string) {
	for _, m := range list {
		k := kept{m.path, m.original, m.modified}
		edited, err := k.restore()
		_ = m.in.Close()
		_ = m.keeper.Wait()
		switch {
		case err != nil:
			seen = append(seen, fmt.Sprintf("%s may still have the line that ends with %q: %s", m.name, reportMark, osWords(err)))
		case edited:
			seen = append(seen, fmt.Sprintf("%s was edited meanwhile: it is as it was saved last, without our line", m.name))
		}
	}
	return seen
}

// keepModule is the keeper's main: it waits for the end of its standard input
// and takes the line out.
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
	if _, err := k.restore(); err != nil {
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
