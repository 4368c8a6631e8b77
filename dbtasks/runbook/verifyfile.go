package runbook

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// rewrite changes a file in place while nobody else can open it (see alone):
// whoever saves meanwhile waits, and what he saved before is what change gets.
// Names and links of the file stay. It gives what the file is afterwards.
func rewrite(path string, change func(now []byte) ([]byte, error)) ([]byte, error) {
	for try := 0; ; try++ {
		text, again, err := rewriteOnce(path, change)
		if !again || try == 5 {
			return text, err
		}
	}
}

var errMoved = errors.New("it is saved again and again")

func rewriteOnce(path string, change func(now []byte) ([]byte, error)) (text []byte, again bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, false, err
	}
	defer f.Close() // and nobody waits any more
	exclusive := alone(f)
	ours, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !ours.Mode().IsRegular() {
		return nil, false, errors.New("it is no file any more")
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(ours, there) { // another was put in its place
		return nil, true, errors.Join(errMoved, err)
	}
	now, err := io.ReadAll(f)
	if err != nil {
		return nil, false, err
	}
	want, err := change(bytes.Clone(now))
	if err != nil || bytes.Equal(now, want) {
		return now, false, err
	}
	if !exclusive { // as close to the write as it can be
		if latest, err := os.ReadFile(path); err != nil || !bytes.Equal(latest, now) {
			return nil, true, errors.Join(errMoved, err)
		}
	}
	same := 0
	for same < min(len(now), len(want)) && now[same] == want[same] {
		same++
	}
	if _, err := f.WriteAt(want[same:], int64(same)); err != nil {
		_, _ = f.WriteAt(now[same:], int64(same)) // these bytes had their place before
		return now, false, errors.Join(err, f.Truncate(int64(len(now))))
	}
	return want, false, f.Truncate(int64(len(want)))
}
