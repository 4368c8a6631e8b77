package settings

import (
	"path/filepath"
	"slices"
	"strings"
)

// sources are the places that settings come from.
type sources struct {
	env   map[string]string
	files []dotenv // .env.local, .env
}

// place is a variable in one file.
type place struct {
	file int
	name string
}

// maxReferences is how many references are followed for one variable: enough
// for any real file, few enough for one that multiplies them.
const maxReferences = 1000

func readSources(root string, environ []string) (*sources, error) {
	s := &sources{env: map[string]string{}}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			s.env[name] = value
		}
	}
	for _, name := range []string{".env.local", ".env"} {
		file, err := readDotenv(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, file)
	}
	return s, nil
}

// lookup finds a variable: environment, .env.local, .env. The origin's
// Variable is empty when it is not set.
func (s *sources) lookup(name string) (string, Origin) {
	left := maxReferences
	return s.find(name, nil, &left)
}

// find is lookup where the places in within are being expanded, and count as
// not set.
func (s *sources) find(name string, within []place, left *int) (string, Origin) {
	if name == "" {
		return "", Origin{}
	}
	if value := s.env[name]; value != "" {
		return value, Origin{Variable: name}
	}
	for i, file := range s.files {
		here := place{i, name}
		if file.values[name] == "" || slices.Contains(within, here) {
			continue
		}
		path := append(slices.Clone(within), here)
		value := file.refs.expand(file.values[name], func(other string) string {
			if *left--; *left < 0 {
				return ""
			}
			value, _ := s.find(other, path, left)
			return value
		})
		if value != "" {
			return value, Origin{Variable: name, File: file.path, Line: file.lines[name]}
		}
	}
	return "", Origin{}
}
