package checklist

// Verdict is what an item of the checklist came to.
type Verdict string

const (
	OK       Verdict = "ok"
	Wrong    Verdict = "wrong"
	CantTell Verdict = "cant_tell"
	Advice   Verdict = "advice" // of a finding alone: it makes no item wrong
)

// Finding is one thing that is wrong, that can't be told, or that is advised.
type Finding struct {
	Verdict Verdict `json:"verdict"`        // wrong, cant_tell or advice
	File    string  `json:"file"`           // relative to the root, with slashes; may not exist yet
	Line    int     `json:"line,omitempty"` // 0: the file as a whole
	Problem string  `json:"problem"`
	Why     string  `json:"why,omitempty"`   // why it matters, in one sentence
	Write   string  `json:"write,omitempty"` // the line to write instead
}

// Item is one of the eight items.
type Item struct {
	Number   int       `json:"number"`
	Name     string    `json:"name"`
	Verdict  Verdict   `json:"verdict"`
	Summary  string    `json:"summary,omitempty"` // what was found, in one line; empty where the findings say it
	Findings []Finding `json:"findings,omitempty"`
}

// Client is one place in the project that makes a client or pool.
type Client struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Makes string `json:"makes"`           // "new PrismaClient()", "new Pool()", …
	Limit int    `json:"limit,omitempty"` // its pool limit; 0: none, or not told

	Driver string `json:"driver"`          // "node-postgres", "Prisma", …
	Role   string `json:"role"`            // "app", "test" or "script"
	Reload string `json:"reload"`          // what the dev server does when its module changes: "in_process", "new_process", "none" or "unknown"
	Kept   string `json:"kept"`            // what becomes of it: "kept", "anew", "per_request", …, see jscode.Fate
	Leaks  *bool  `json:"leaks,omitempty"` // it leaves connections behind at a reload or request; absent: not known, or no app's
}

// Report is the whole checklist.
type Report struct {
	OK       bool     `json:"ok"` // nothing is wrong, and all could be told
	Root     string   `json:"root"`
	Wrong    int      `json:"wrong"`     // items
	CantTell int      `json:"cant_tell"` // items
	Items    []Item   `json:"items"`
	Clients  []Client `json:"clients"`
	NoClient string   `json:"no_client,omitempty"` // that no client was found, so that most items can't be told
	Files    int      `json:"files"`               // that were read
	TookMS   int64    `json:"took_ms"`
}

// names of the items, in their order.
var names = [...]string{
	"client module",
	"hot reload and limit",
	"errors and process end",
	"tests",
	"Vite and port",
	"limits and server",
	".env",
	"npm scripts",
}

// settle is an item's verdict from its findings: wrong before can't tell.
func (i *Item) settle() {
	i.Verdict = OK
	for _, f := range i.Findings {
		if f.Verdict == Wrong || f.Verdict == CantTell && i.Verdict == OK {
			i.Verdict = f.Verdict
		}
	}
	if i.Verdict != OK {
		i.Summary = ""
	}
}

func (i *Item) wrong(file string, line int, problem, why, write string) {
	i.Findings = append(i.Findings, Finding{Wrong, file, line, problem, why, write})
}

func (i *Item) advise(file string, line int, problem, why, write string) {
	i.Findings = append(i.Findings, Finding{Advice, file, line, problem, why, write})
}

func (i *Item) unsure(file string, line int, problem, why string) {
	i.Findings = append(i.Findings, Finding{Verdict: CantTell, File: file, Line: line, Problem: problem, Why: why})
}
