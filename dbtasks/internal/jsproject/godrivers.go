package jsproject

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// maxGoFiles is how many files are looked at for imports.
const maxGoFiles = 5000

// GoDrivers are the drivers that the Go code below dir imports, where dir has a
// go.mod: what go.mod asks for tells only what may be there. Test files, other
// modules, vendored packages and Mage's own files are left out: the runbook
// itself brings pgx with it. pgx without its pool counts only where the code
// calls pgx.Connect or pgx.ConnectConfig. nil where there is no go.mod.
func GoDrivers(dir string) []Driver {
	text, err := plainfile.Read(filepath.Join(dir, "go.mod"), plainfile.Settings)
	if err != nil {
		return nil
	}
	if file, err := modfile.ParseLax("go.mod", text, nil); err == nil && file.Module != nil && !asksForADriver(file) {
		return nil
	}
	found := map[string]bool{}
	looked := 0
	_ = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case d.IsDir():
			if at != dir && (otherCode(d.Name()) || plainfile.Exists(filepath.Join(at, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(at, ".go") || strings.HasSuffix(at, "_test.go"):
			return nil
		}
		if looked++; looked > maxGoFiles {
			return fs.SkipAll
		}
		for _, path := range imports(at) {
			found[path] = true
		}
		return nil
	})
	var list []Driver
	for _, row := range append(slices.Clone(goDrivers), pgxConnect) {
		for path := range found {
			if path == row.Package || row.Wire == AnyWire && strings.HasPrefix(path, row.Package+"/") {
				list = append(list, row)
				break
			}
		}
	}
	return list
}

func otherCode(folder string) bool {
	return strings.HasPrefix(folder, ".") || slices.Contains([]string{"vendor", "node_modules", "testdata", "magefiles"}, folder)
}

// asksForADriver tells whether go.mod requires a module of a driver directly.
func asksForADriver(file *modfile.File) bool {
	return slices.ContainsFunc(file.Require, func(r *modfile.Require) bool {
		return !r.Indirect && slices.ContainsFunc(append(slices.Clone(goDrivers), pgxConnect), func(d Driver) bool {
			return d.Package == r.Mod.Path || strings.HasPrefix(d.Package, r.Mod.Path+"/")
		})
	})
}

// imports are those of one file; pgx itself only where the file connects with it.
func imports(path string) []string {
	text, err := plainfile.Read(path, plainfile.Settings)
	if err != nil {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:build") && strings.Contains(comment.Text, "mage") {
				return nil
			}
		}
	}
	var list []string
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			if path == pgxConnect.Package && !strings.Contains(string(text), "pgx.Connect(") && !strings.Contains(string(text), "pgx.ConnectConfig(") {
				continue
			}
			list = append(list, path)
		}
	}
	return list
}
