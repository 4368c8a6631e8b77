package checklist

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// bundles: no module that goes to the browser imports the client.
func (c *check) bundles(i *Item) {
	for _, b := range c.code.Bundles(c.home.Module) {
		i.wrong(b.File, b.Line, fmt.Sprintf("the browser's bundle gets the client: this module runs in the browser and imports %s", b.Import),
			"The address of the database and its password would be sent to every visitor, and the driver can't run there.",
			"load it on the server (+page.server.ts, a route handler, a server action) and pass the data on")
	}
}

// dataFolders are PostgreSQL's data folders in the project, two levels down.
func dataFolders(root string) []string {
	var list []string
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && d.Name() != "PG_VERSION" {
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, relErr := filepath.Rel(root, name)
		if relErr != nil {
			return nil
		}
		rel = filepath.ToSlash(rel)
		if !d.IsDir() {
			list = append(list, path.Dir(rel))
			return nil
		}
		if rel != "." && (jscode.IsLeftOut(d.Name()) || strings.Count(rel, "/") > 1) {
			return fs.SkipDir
		}
		return nil
	})
	return list
}
