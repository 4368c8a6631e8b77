// Package near finds the name that somebody meant.
package near

import "strings"

// Of is the name that a word begins or is most like, where it is like one:
// at most a third of its letters are others. It is empty where there is none.
func Of(word string, names []string) string {
	word = strings.ToLower(word)
	best, least := "", len(word)/3+1
	for _, name := range names {
		lower := strings.ToLower(name)
		if len(word) > 0 && strings.HasPrefix(lower, word) {
			return name
		}
		if d := distance(word, lower); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out, replaced or changed
// places with the next one (the restricted Damerau-Levenshtein distance).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
