package scaffold

import "errors"

// What a *ProjectError comes of.
var (
	ErrNoProject = errors.New("there is no package.json")
	ErrDriver    = errors.New("the project has no known driver")
	ErrSchema    = errors.New("the Prisma schema can't be used")
	ErrFile      = errors.New("a file can't be read")
	ErrSource    = errors.New("the source of dbtasks can't be told")
	ErrOutside   = errors.New("a path leads out of the project")
	ErrChanged   = errors.New("it was changed meanwhile") // between the plan and the act; Apply's own
)

// ProjectError is a project that nothing can be planned for: nothing was touched.
type ProjectError struct {
	Err     error  // one of the above
	Message string // what is wrong, for people
	Next    string // what to do about it
}

func (e *ProjectError) Error() string { return e.Message }

func (e *ProjectError) Unwrap() error { return e.Err }
