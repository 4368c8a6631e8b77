// Package screen shows the reports of the runbook to people and to scripts:
// the outcome first, then what was done, then the one next command. It knows
// no database.
package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Printer writes to one stream. Colour is used on a terminal only, and not
// where NO_COLOR is set or TERM is dumb.
type Printer struct {
	out   *delivery
	color bool
}

// delivery remembers what went wrong with the first write that failed.
type delivery struct {
	io.Writer
	err error
}

func (d *delivery) Write(b []byte) (int, error) {
	n, err := d.Writer.Write(b)
	if d.err == nil {
		d.err = err
	}
	return n, err
}

// Err is why not all of what was printed arrived; nil: it did.
func (p *Printer) Err() error { return p.out.err }

// New makes a printer for out.
func New(out io.Writer) *Printer { return &Printer{out: &delivery{Writer: out}, color: colorful(out)} }

func colorful(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && IsTerminal(f)
}

// IsTerminal tells whether f is a terminal that understands escape sequences.
func IsTerminal(f *os.File) bool { return os.Getenv("TERM") != "dumb" && term.IsTerminal(f.Fd()) }

// Whole prints with one write what text prints in many.
func (p *Printer) Whole(text func(*Printer)) {
	var page bytes.Buffer
	text(&Printer{out: &delivery{Writer: &page}, color: p.color})
	_, _ = p.out.Write(page.Bytes())
}

func (p *Printer) line(format string, args ...any) {
	fmt.Fprintln(p.out, plain.Sprintf(format, args...))
}

// outcome is the first line.
func (p *Printer) outcome(ok bool, format string, args ...any) {
	text := plain.Sprintf(format, args...)
	if p.color {
		code := "32"
		if !ok {
			code = "31"
		}
		text = "\x1b[1;" + code + "m" + text + "\x1b[0m"
	}
	fmt.Fprintln(p.out, text)
}

func (p *Printer) next(command string) {
	if command != "" {
		p.line("Next: %s", command)
	}
}

// JSON writes one object on one line.
func (p *Printer) JSON(v any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a report has only plain fields
	_, _ = p.out.Write(plain.JSON(text.Bytes()))
}

// Failure writes a failure as JSON.
func (p *Printer) Failure(f *runbook.Failure) {
	p.JSON(struct {
		OK      bool     `json:"ok"`
		Error   string   `json:"error"`
		Message string   `json:"message"`
		Details []string `json:"details,omitempty"`
		Next    string   `json:"next"`
	}{false, f.Code, f.Message, f.Details, f.Next})
}

// RefusedPlan prints a refusal with the plan of what was not done.
func (p *Printer) RefusedPlan(f *runbook.Failure, plan any) {
	p.JSON(struct {
		OK      bool   `json:"ok"`
		Error   string `json:"error"`
		Message string `json:"message"`
		Next    string `json:"next"`
		Plan    any    `json:"plan"`
	}{false, f.Code, f.Message, f.Next, plan})
}

// FailureText is a failure for people, as Mage prints it behind "Error: ".
func FailureText(f *runbook.Failure) string {
	var b strings.Builder
	b.WriteString(plain.Line(f.Message))
	for _, d := range f.Details {
		b.WriteString("\n  " + plain.Line(d))
	}
	if f.Next != "" && !strings.Contains(f.Message, f.Next) {
		b.WriteString("\nNext: " + plain.Line(f.Next))
	}
	return b.String()
}

// Age is a duration as people say it: "4 s", "3 min", "2 h 5 min".
func Age(d time.Duration) string { return plain.Age(d) }

// plural is "1 session", "2 sessions".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "ss") {
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func named(application string) string {
	if application == "" {
		return "(no application_name)"
	}
	return application
}
