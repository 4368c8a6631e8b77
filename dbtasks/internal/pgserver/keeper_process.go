package pgserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// keeperProcess is a keeper as seen by the process that started it.
type keeperProcess struct {
	bin      string
	lifeline io.Closer // its standard input
	once     sync.Once
	gone     chan struct{} // closed when it has ended
	err      error         // how; read after gone
}

// startKeeper starts a keeper and waits until it has what spec describes.
func startKeeper(ctx context.Context, spec keeperSpec, log io.Writer) (*keeperProcess, *keeperPlace, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	cmd := reexec.Command(context.WithoutCancel(ctx), keeperRole) // what ends it is the end of its input
	setDetached(cmd)
	cmd.Dir = os.TempDir()
	if _, err := os.Stat(cmd.Dir); err != nil { // else the keeper seems to be what is missing
		return nil, nil, fmt.Errorf("the folder for temporary files (TMPDIR): %w", err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start its keeper: %w", err)
	}
	k := &keeperProcess{bin: spec.Bin, lifeline: in, gone: make(chan struct{})}
	giveUp := context.AfterFunc(ctx, func() { _ = in.Close() })
	place, err := talk(in, out, spec, log)
	if !giveUp() {
		err = ctx.Err()
	}
	go k.wait(cmd, out)
	if err == nil {
		return k, place, nil
	}
	_ = in.Close()
	<-k.gone
	if text := lastLines(stderr.String(), 3); text != "" && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return nil, nil, err
}

// talk tells the keeper what to keep and listens until it has it.
func talk(in io.Writer, out io.Reader, spec keeperSpec, log io.Writer) (*keeperPlace, error) {
	if err := json.NewEncoder(in).Encode(spec); err != nil {
		return nil, fmt.Errorf("talk to its keeper: %w", err)
	}
	for words := json.NewDecoder(out); ; {
		var w keeperWord
		switch err := words.Decode(&w); {
		case err != nil:
			return nil, fmt.Errorf("its keeper ended: %w", err)
		case w.Error != "":
			return nil, errors.New(w.Error)
		case w.Place != nil:
			return w.Place, nil
		case log != nil:
			fmt.Fprintln(log, w.Note)
		}
	}
}

func (k *keeperProcess) wait(cmd *exec.Cmd, out io.Reader) {
	_, _ = io.Copy(io.Discard, out)
	k.err = cmd.Wait()
	close(k.gone)
}

// stop lets go of the lifeline and waits for the keeper's end.
func (k *keeperProcess) stop(ctx context.Context) error {
	k.once.Do(func() { _ = k.lifeline.Close() })
	select {
	case <-k.gone:
		return k.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
