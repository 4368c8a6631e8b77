package pgserver

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// Not in parallel: it runs a keeper in this process, with a variable changed.
func TestAPortThatIsTakenMeanwhileIsNotUsed(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	first := true
	choosePort = func() (int, []string, error) {
		if first {
			first = false
			return port, []string{"127.0.0.1"}, nil
		}
		return freePort()
	}
	defer func() { choosePort = freePort }()
	bin, err := FindBinaries(t.Context(), FindOptions{Dir: os.Getenv("DBTASKS_PG_BIN"), Install: true})
	if err != nil {
		t.Fatal(err)
	}
	in, lifeline := io.Pipe()
	out, say := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- keep(in, say) }()
	if err := json.NewEncoder(lifeline).Encode(keeperSpec{Bin: bin.Dir, Password: RandomPassword()}); err != nil {
		t.Fatal(err)
	}
	var note, ready keeperWord
	words := json.NewDecoder(out)
	if err := words.Decode(&note); err != nil || !strings.Contains(note.Note, "was taken") {
		t.Errorf("first word %+v (%v)", note, err)
	}
	if err := words.Decode(&ready); err != nil || ready.Place == nil || ready.Place.Port == port {
		t.Errorf("second word %+v (%v)", ready, err)
	}
	_ = lifeline.Close()
	if code := <-ended; code != 0 {
		t.Errorf("the keeper ended with %d", code)
	}
	if _, err := os.Stat(ready.Place.Dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there (%v)", err)
	}
}
