package cli

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/near"
)

// nearestTarget is the target that a word was meant to be; empty: it is like
// none of them. Its second half alone counts, too: "cleanup".
func nearestTarget(word string) string {
	word = strings.ToLower(word)
	var names, halves []string
	for _, t := range Targets {
		_, half, _ := strings.Cut(t.Name, ":")
		names, halves = append(names, t.Name), append(halves, half)
	}
	if name := near.Of(word, names); name != "" {
		return name
	}
	if half := near.Of(word, halves); half != "" && half != "test" { // db:test or dev:test?
		for _, t := range Targets {
			if strings.HasSuffix(t.Name, ":"+half) {
				return t.Name
			}
		}
	}
	return ""
}
