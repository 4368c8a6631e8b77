// Package crash brings a panic of a goroutine to who waits for it: in the
// goroutine itself it would end the process with Go's own exit code, 2, which
// says of every target of this tool that nothing was touched.
package crash

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// Panic is a caught panic: its value and where it came from.
type Panic struct {
	Value any
	Stack string // of the goroutine, as debug.Stack has it
}

func (p *Panic) String() string { return fmt.Sprint(p.Value) }

// Caught makes a Panic of what recover returned, on the goroutine that
// panicked; nil for nil. What was carried stays what it was.
func Caught(value any) *Panic {
	if value == nil {
		return nil
	}
	if p, ok := value.(*Panic); ok {
		return p
	}
	return &Panic{value, string(debug.Stack())}
}

// Where lists the innermost calls of the module's own, at most n.
func (p *Panic) Where(n int) (list []string) {
	lines := strings.Split(p.Stack, "\n")
	for i, line := range lines {
		if len(list) < n && strings.Contains(line, "/dbtasks") && !strings.HasPrefix(line, "\t") && !strings.Contains(line, "/crash.") && i+1 < len(lines) {
			name, _, _ := strings.Cut(line, "({")
			file, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
			list = append(list, name[strings.LastIndex(name, "/")+1:]+" at "+file[strings.LastIndex(file, "/")+1:])
		}
	}
	return list
}

// Carried runs work on other goroutines. The zero value is ready.
type Carried struct {
	mu    sync.Mutex
	first *Panic
}

// Do calls f and keeps its panic.
func (c *Carried) Do(f func()) {
	defer func() {
		if p := Caught(recover()); p != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.first == nil {
				c.first = p
			}
		}
	}()
	f()
}

// Rethrow panics with the first panic that was kept; it is called once the work
// is over.
func (c *Carried) Rethrow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first != nil {
		panic(c.first)
	}
}
