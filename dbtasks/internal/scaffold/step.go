package scaffold

import (
	"io/fs"
	"strings"
)

// Action is what happens to one file.
type Action string

const (
	Create  Action = "create"  // the file is not there: it is written
	Merge   Action = "merge"   // the file is there: lines are added, and nothing else changes
	Keep    Action = "keep"    // the file has what is needed, or is the user's business
	Differs Action = "differs" // the file is there and lacks what is needed: nothing is written, the difference is shown
)

// Step is one file of the plan.
type Step struct {
	Path   string // relative to the project's root, with slashes
	Action Action
	Why    string // one line
	// Show is what people see below the line: for Merge and Differs a unified
	// diff, or the lines to write where there is no text to compare with. No
	// password stands in it.
	Show string

	before, after []byte
	mode          fs.FileMode
	from          string // a program to copy, in place of after
}

// Writes tells whether the step changes a file.
func (s Step) Writes() bool { return s.Action == Create || s.Action == Merge }

// IsPatch tells whether Show is a unified diff.
func (s Step) IsPatch() bool { return strings.HasPrefix(s.Show, "--- ") }

// Plan is what dev:init would do to a project.
type Plan struct {
	Project Project
	Steps   []Step
	// Install are the packages that the written code needs and package.json
	// does not have, as arguments of the package manager.
	Install []string
	// HasURL tells whether DATABASE_URL is set anywhere.
	HasURL bool
}

// Writes is how many files the plan changes.
func (p Plan) Writes() int { return p.count(Step.Writes) }

// Differs is how many files are left to the user.
func (p Plan) Differs() int {
	return p.count(func(s Step) bool { return s.Action == Differs })
}

// Patches tells whether there is a difference that patch -p1 takes.
func (p Plan) Patches() bool {
	return p.count(func(s Step) bool { return s.Action == Differs && s.IsPatch() }) > 0
}

func (p Plan) count(match func(Step) bool) int {
	n := 0
	for _, s := range p.Steps {
		if match(s) {
			n++
		}
	}
	return n
}
