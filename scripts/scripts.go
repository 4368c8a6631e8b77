// Package scripts carries the shell wrappers, which dev:init puts into other
// projects as they stand here.
package scripts

import "embed"

// Files has the wrappers, *.sh.
//
//go:embed *.sh
var Files embed.FS
