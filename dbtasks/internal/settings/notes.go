package settings

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Notes are what a person should know of the URLs besides what was asked:
// places that disagree about the database, and values that were not used.
// Without a secret; at most one line for each variable and each place.
func (c *Config) Notes() []string {
	var notes []string
	if c.sources == nil {
		return nil
	}
	for _, name := range []string{DatabaseURL, DirectURL, AdminURL} {
		value, origin := c.lookup(name)
		if value == "" {
			continue
		}
		u, err := c.parse(value, origin)
		if err != nil {
			continue
		}
		notes = append(notes, u.Notes...)
		if origin.File != "" && c.Top != c.Root && filepath.Dir(origin.File) == c.Top {
			notes = append(notes, fmt.Sprintf("%s is the monorepo's: %s reads it only where its script or its settings say so", origin, c.framework()))
		}
		for _, other := range c.sources().values(name, origin) {
			loser, err := c.parse(other.value, other.Origin)
			if err != nil || loser.place() == u.place() {
				continue
			}
			notes = append(notes, fmt.Sprintf("%s wins over %s, which names another database: %s, not %s", origin, other.Origin, u.place(), loser.place()))
		}
	}
	return notes
}

// place is what a URL leads to, for comparing: "dev@localhost:5432/app".
func (u *URL) place() string {
	at := ""
	for i, h := range u.Hosts {
		if i > 0 {
			at += ","
		}
		at += fmt.Sprintf("%s:%d", h.Name, h.Port)
	}
	return fmt.Sprintf("%s@%s/%s", u.User, at, u.Database)
}

// valued is a value that some place gives a variable.
type valued struct {
	Origin
	value string
}

// values are what the other places give a variable, where wins is left out: the
// value of the environment first.
func (s *sources) values(name string, wins Origin) []valued {
	var list []valued
	for _, g := range s.groups {
		if g.own {
			continue
		}
		for _, f := range g.files {
			if f.path == wins.File {
				continue
			}
			for _, a := range slices.Backward(f.list) {
				if a.name == name && a.value != "" {
					alone := loadPlain([]*envFile{f}, nil)[name].value
					list = append(list, valued{Origin{Variable: name, File: f.path, Line: a.line}, alone})
					break
				}
			}
		}
	}
	return list
}
