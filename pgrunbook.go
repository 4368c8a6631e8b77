// Package pgrunbook carries the files of this repository that dev:init puts
// into other projects. They are embedded from here, so that there is no copy
// of them to keep in step.
package pgrunbook

import "embed"

// Files has go.mod and go.sum (for a module that imports dbtasks), .env.example
// and the shell wrappers in scripts/.
//
//go:embed go.mod go.sum .env.example scripts/*.sh
var Files embed.FS
