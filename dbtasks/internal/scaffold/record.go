package scaffold

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// record is what dev:init has written into one project, for dev:init -undo. It
// lies outside of the project, readable for its user alone, and has no text of
// the user's: of a file that lines were added to only these.
type record struct {
	Root  string          `json:"root"`
	Files []recordedWrite `json:"files"`
}

// recordedWrite is one file of a record.
type recordedWrite struct {
	Path     string      `json:"path"` // relative to the root, with slashes
	Created  bool        `json:"created"`
	Before   string      `json:"before,omitempty"`   // checksum of the text that was there
	After    string      `json:"after"`              // checksum of what dev:init has written
	Inserted []insertion `json:"inserted,omitempty"` // into what was there; nil: it can't be taken out
}

// insertion is text that was put in; At is its place in the text afterwards, in
// bytes.
type insertion struct {
	At   int    `json:"at"`
	Text string `json:"text"`
}

// recordFile is the record of a project in the folder of the tool's state.
func recordFile(state, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(state, "init-"+hex.EncodeToString(sum[:8])+".json")
}

func readRecord(state, root string) (record, error) {
	var r record
	text, err := os.ReadFile(recordFile(state, root))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", recordFile(state, root), err)
	}
	return r, nil
}

func (r record) save(state string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	file := recordFile(state, r.Root)
	beside := besideOf(file)
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, file)
}

// Record keeps, in the folder state, what Apply is about to write, so that
// PlanUndo can take it out again.
func Record(plan Plan, state string) error {
	r, err := readRecord(state, plan.Project.Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Root = plan.Project.Root
	if err := r.note(plan); err != nil {
		return err
	}
	return r.save(state)
}

// note puts what a plan is about to write into the record, before it does: what
// then was not written is seen when it is to be undone. A file that an earlier
// run wrote keeps what was there before that.
func (r *record) note(plan Plan) error {
	for _, s := range plan.Steps {
		if !s.Writes() {
			continue
		}
		w := recordedWrite{Path: s.Path, Created: s.Action == Create, After: sum(s.after)}
		if s.from != "" {
			after, err := sumOfFile(s.from)
			if err != nil {
				return err
			}
			w.After = after
		}
		if s.Action == Merge {
			w.Before, w.Inserted = sum(s.before), insertions(s.before, s.after)
		}
		i := slices.IndexFunc(r.Files, func(f recordedWrite) bool { return f.Path == s.Path })
		switch {
		case i < 0:
			r.Files = append(r.Files, w)
		case w.Created:
			r.Files[i] = w
		default:
			r.Files[i].After = w.After
			if r.Files[i].Inserted != nil {
				r.Files[i].Inserted = append(r.Files[i].Inserted, w.Inserted...)
			}
			r.Files[i].Before = "" // of both together the places are not known any more, the texts are
		}
	}
	return nil
}

// insertions are what has to be put into before to have after: one run of bytes,
// or whole lines; nil where that is not all that was done.
func insertions(before, after []byte) []insertion {
	if len(after) < len(before) {
		return nil
	}
	from := 0
	for from < len(before) && before[from] == after[from] {
		from++
	}
	if bytes.HasSuffix(after, before[from:]) {
		return []insertion{{from, string(after[from : len(after)-len(before)+from])}}
	}
	var list []insertion
	at, rest := 0, splitLines(string(before))
	for _, line := range splitLines(string(after)) {
		switch {
		case len(rest) > 0 && rest[0] == line:
			rest = rest[1:]
		case len(list) > 0 && list[len(list)-1].At+len(list[len(list)-1].Text) == at:
			list[len(list)-1].Text += line
		default:
			list = append(list, insertion{at, line})
		}
		at += len(line)
	}
	if len(rest) > 0 || !bytes.Equal(without(after, list), before) {
		return nil
	}
	return list
}

// without takes insertions out of a text at their places.
func without(text []byte, list []insertion) []byte {
	for _, ins := range slices.Backward(list) {
		if ins.At+len(ins.Text) > len(text) {
			return nil
		}
		text = slices.Concat(text[:ins.At], text[ins.At+len(ins.Text):])
	}
	return text
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

func sumOfFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// UndoAction is what -undo does with one file.
type UndoAction string

// The actions of an undo.
const (
	Remove  UndoAction = "remove"  // dev:init made it, and nobody has changed it
	Restore UndoAction = "restore" // what was added is taken out
	Leave   UndoAction = "leave"   // it was changed since: it is the user's
	Gone    UndoAction = "gone"    // it is not there any more
)

// UndoStep is one file of an undo.
type UndoStep struct {
	Path   string
	Action UndoAction
	Why    string
	after  []byte // of Restore
	seen   string // checksum of the file as the plan saw it
}

// Undo is what takes out what dev:init has put into a project.
type Undo struct {
	Root  string
	Steps []UndoStep
	state string
}

// ErrNoRecord is a project in which nothing is known to have been written.
var ErrNoRecord = errors.New("nothing is recorded for this project")

// PlanUndo looks at what is there and changes nothing.
func PlanUndo(state, root string) (Undo, error) {
	u := Undo{Root: root, state: state}
	r, err := readRecord(state, root)
	if errors.Is(err, fs.ErrNotExist) {
		return u, ErrNoRecord
	}
	if err != nil {
		return u, err
	}
	for _, w := range slices.Backward(r.Files) {
		step, err := w.undo(Project{Root: root})
		if err != nil {
			return u, err
		}
		u.Steps = append(u.Steps, step)
	}
	return u, nil
}

func (w recordedWrite) undo(p Project) (UndoStep, error) {
	s := UndoStep{Path: w.Path, Action: Gone, Why: "is not there any more"}
	path := p.path(w.Path)
	look := os.Stat // lines are added through a link, too
	if w.Created {
		look = os.Lstat
	}
	info, err := look(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, err
	case !info.Mode().IsRegular() || p.inside(w.Path) != nil:
		s.Action, s.Why = Leave, "is not the file any more that dev:init wrote"
		return s, nil
	}
	seen, err := sumOfFile(path)
	if err != nil {
		return s, err
	}
	s.seen = seen
	if w.Created {
		s.Action, s.Why = Remove, "as dev:init has written it"
		if seen != w.After {
			s.Action, s.Why = Leave, "was changed since dev:init wrote it"
		}
		return s, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	switch {
	case seen == w.Before:
		s.Action, s.Why = Gone, "has nothing of dev:init any more"
		return s, nil
	case seen == w.After && sum(without(text, w.Inserted)) == w.Before:
		s.Action, s.Why, s.after = Restore, "as it was", without(text, w.Inserted)
		return s, nil
	}
	for _, ins := range w.Inserted {
		if bytes.Count(text, []byte(ins.Text)) != 1 {
			s.Action, s.Why = Leave, "was changed since dev:init added to it: "+strings.Join(strings.Fields(ins.Text), " ")
			return s, nil
		}
		text = bytes.Replace(text, []byte(ins.Text), nil, 1)
	}
	if w.Inserted == nil || strings.HasSuffix(w.Path, ".json") && !json.Valid(withoutBOM(text)) {
		s.Action, s.Why = Leave, "was changed since dev:init added to it"
		return s, nil
	}
	s.Action, s.Why, s.after = Restore, "without what dev:init added, with what was changed since", text
	return s, nil
}

// Apply does what the plan says, and forgets the record when nothing is left of
// it. It gives how many files it changed; the error names the file.
func (u Undo) Apply() (changed int, err error) {
	for _, s := range u.Steps {
		path := filepath.Join(u.Root, filepath.FromSlash(s.Path))
		if s.Action != Remove && s.Action != Restore {
			continue
		}
		if now, err := sumOfFile(path); err != nil || now != s.seen {
			return changed, fmt.Errorf("%s: %w", s.Path, ErrChanged)
		}
		if s.Action == Remove {
			if err := os.Remove(path); err != nil {
				return changed, err
			}
			u.removeEmpty(filepath.Dir(path))
		} else {
			before, err := os.ReadFile(path)
			if err != nil {
				return changed, err
			}
			if err := (Step{Action: Merge, before: before, after: s.after}).write(path); err != nil {
				return changed, err
			}
		}
		changed++
	}
	return changed, os.Remove(recordFile(u.state, u.Root))
}

// removeEmpty takes away folders that nothing is left in, up to the project's own.
func (u Undo) removeEmpty(dir string) {
	for len(dir) > len(u.Root) && os.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}
