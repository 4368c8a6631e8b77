package checklist

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// limitLine is the options with a limit.
func (c *check) limitLine(made *jscode.Client) string {
	n := 5
	if c.url != nil && c.url.Limit > 0 {
		n = c.url.Limit
	}
	address := c.address(made)
	line := made.Write
	switch {
	case made.IsPrisma() && made.Limit.Adapter == "Pool":
		line = "new Pool({ connectionString: %s, max: %d })"
	case made.IsPrisma() && made.Limit.Adapter != "":
		line = "new " + made.Limit.Adapter + "({ connectionString: %s, max: %d })"
	case line == "":
		return fmt.Sprintf("%s: %d in its options", made.Max[0], n)
	}
	return fmt.Sprintf(line, address, n)
}

// address is how a module of this project reads DATABASE_URL: SvelteKit and
// Astro do not fill process.env from .env.
func (c *check) address(made *jscode.Client) string {
	file := made.Module.Path()
	text := made.Module.Text()
	for _, known := range []string{"env.DATABASE_URL!", "env.DATABASE_URL"} {
		if i := strings.Index(text, known); i >= 0 {
			start := i
			for start > 0 && (text[start-1] == '.' || text[start-1] >= 'a' && text[start-1] <= 'z' || text[start-1] >= 'A' && text[start-1] <= 'Z') {
				start--
			}
			return text[start : i+len(known)]
		}
	}
	typed := slices.Contains([]string{".ts", ".tsx", ".mts", ".cts"}, path.Ext(file))
	address := "process.env.DATABASE_URL"
	if _, ok := c.packages.depends(file, "@sveltejs/kit"); ok {
		address = "env.DATABASE_URL" // import { env } from '$env/dynamic/private'
	} else if _, ok := c.packages.depends(file, "astro"); ok {
		address = "import.meta.env.DATABASE_URL"
	}
	if strings.Contains(text, "{ DATABASE_URL") || strings.Contains(text, ", DATABASE_URL") {
		return "DATABASE_URL"
	}
	if typed && !strings.HasPrefix(address, "import.meta") {
		address += "!"
	}
	return address
}
