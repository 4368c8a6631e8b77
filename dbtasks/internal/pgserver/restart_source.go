package pgserver

import (
	"slices"
	"strings"
)

// StartedFrom is the file where the server's command line stands: the Compose
// file of its container, the unit file and its drop-ins. "": not known.
func (r Restart) StartedFrom() string {
	if c := r.Subject.Container; c != nil {
		return strings.Join(c.Files, ", ")
	}
	if r.Way != WaySystemd {
		return ""
	}
	show := r.keeper.list
	show.Argv = slices.Clone(show.Argv)
	unit := show.Argv[len(show.Argv)-1]
	show.Argv = append(show.Argv[:slices.Index(show.Argv, "show")+1], "-p", "FragmentPath", "-p", "DropInPaths", unit)
	text, err := show.output()
	if err != nil {
		return ""
	}
	state := parseShow(text)
	return strings.ReplaceAll(strings.TrimSpace(state["FragmentPath"]+" "+state["DropInPaths"]), " ", ", ")
}
