// Package live is db:monitor on a terminal: how full the server is, where it
// is heading, who fills it, and one key to free it. It draws what a
// runbook.Watch sees and has every act done by it.
package live

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Engine is what the screen shows and acts through; *runbook.Watch is one.
type Engine interface {
	Look(context.Context) (runbook.Look, error)
	Cleanup(context.Context, runbook.CleanupOptions) (runbook.CleanupReport, error)
	History(window time.Duration) runbook.History
	Version() string
	Place() runbook.Place
}

// Options are the terminal and the run.
type Options struct {
	In      io.Reader
	Out     io.Writer
	Environ []string      // TERM, NO_COLOR, LANG and the like; nil: none
	Every   time.Duration // between two looks; more than zero
	For     time.Duration // the whole run; 0: until q
}

// framesPerSecond is how often the screen is written at most: what changes is
// a look a second or a key.
const framesPerSecond = 10

// mostColumns and mostRows are the largest terminal that is drawn on: the
// drawing takes memory for each of its cells, and a terminal may claim any size
// up to 65535 times 65535.
const mostColumns, mostRows = 1000, 500

// Drawable tells whether a terminal's size is one that is drawn on.
func Drawable(f term.File) bool {
	width, height, err := term.GetSize(f.Fd())
	return err == nil && width <= mostColumns && height <= mostRows
}

// believable cuts a size that the terminal takes on later.
func believable(_ tea.Model, msg tea.Msg) tea.Msg {
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		return tea.WindowSizeMsg{Width: min(size.Width, mostColumns), Height: min(size.Height, mostRows)}
	}
	return msg
}

// Run shows the screen until q, Ctrl+C, the end of the run, of the context or
// of the terminal, and gives the terminal back as it was. Its error is the
// first look's (see runbook.Watch.Look) or the terminal's.
func Run(ctx context.Context, engine Engine, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first, err := engine.Look(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	m := newModel(ctx, engine, o)
	m.take(first)
	if tty, ok := o.Out.(term.File); ok {
		m.gone = func() bool {
			_, _, err := term.GetSize(tty.Fd())
			return err != nil
		}
	}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environ),
		tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond), tea.WithFilter(believable))
	_, err = p.Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil // a signal, or the run was over
	}
	return err
}

// encodesUTF8 tells whether the locale's encoding is UTF-8; where none is set, it is
// the C locale's ASCII. Windows' terminals take UTF-8.
func encodesUTF8(environ []string, windows bool) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set decides (POSIX)
		for _, e := range environ {
			if value, ok := strings.CutPrefix(e, name+"="); ok && value != "" {
				value = strings.ToLower(value)
				return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
			}
		}
	}
	return windows
}
