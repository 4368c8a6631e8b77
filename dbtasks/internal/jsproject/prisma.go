package jsproject

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// PrismaSchema is what one file of a Prisma schema says. A schema may be spread
// over several files, of which one has each block.
type PrismaSchema struct {
	File     string // relative to the project's root, with slashes
	Provider string // of the datasource: "postgresql"; "" where the file has none
	Client   string // provider of the generator: "prisma-client-js", "prisma-client"; "" where the file has none
	Output   string // folder of the generated client, relative to the root; "": node_modules
}

// PrismaSchemas reads the files; one that can't be read says nothing. The
// schema's language has a block's name, a brace, and one "name = value" a line.
func PrismaSchemas(root string, files []string) []PrismaSchema {
	var list []PrismaSchema
	for _, file := range files {
		text, err := plainfile.Read(filepath.Join(root, filepath.FromSlash(file)), plainfile.Settings)
		if err != nil {
			continue
		}
		s := PrismaSchema{File: file}
		block := ""
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "//")
			fields := strings.Fields(line)
			switch {
			case len(fields) > 1 && (fields[0] == "generator" || fields[0] == "datasource"):
				block = fields[0]
			case strings.HasPrefix(line, "}"):
				block = ""
			case len(fields) >= 3 && fields[1] == "=" && block == "generator" && fields[0] == "output":
				s.Output = path.Join(path.Dir(file), strings.Trim(fields[2], `"`))
			case len(fields) >= 3 && fields[1] == "=" && block == "generator" && fields[0] == "provider":
				s.Client = strings.Trim(fields[2], `"`)
			case len(fields) >= 3 && fields[1] == "=" && block == "datasource" && fields[0] == "provider":
				s.Provider = strings.Trim(fields[2], `"`)
			}
		}
		list = append(list, s)
	}
	return list
}
