package scaffold

import (
	"fmt"
	"strings"
)

// around is how many equal lines a diff shows around a change.
const around = 3

// unified is the difference of two texts as "diff -u" and "git diff" write it,
// so that patch -p1 takes it; "" when they are equal. Texts of more than 5,000
// lines are not compared.
func unified(path, before, after string) string {
	if before == after {
		return ""
	}
	edits := compare(splitLines(before), splitLines(after))
	if edits == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", path, path)
	for from := 0; from < len(edits); {
		for from < len(edits) && edits[from].sign == ' ' {
			from++
		}
		if from == len(edits) {
			break
		}
		to, equal := from, 0
		for to < len(edits) && equal <= 2*around {
			if equal++; edits[to].sign != ' ' {
				equal = 0
			}
			to++
		}
		for to > from && equal > around {
			to, equal = to-1, equal-1
		}
		from = max(0, from-around)
		hunk(&b, edits[:from], edits[from:to])
		from = to
	}
	return b.String()
}

// edit is one line: kept, taken away or added.
type edit struct {
	sign byte // ' ', '-', '+'
	text string
}

func hunk(b *strings.Builder, before, edits []edit) {
	oldLine, newLine := 1, 1
	for _, e := range before {
		oldLine += count(e, '+')
		newLine += count(e, '-')
	}
	oldLen, newLen := 0, 0
	for _, e := range edits {
		oldLen += count(e, '+')
		newLen += count(e, '-')
	}
	if oldLen == 0 {
		oldLine-- // "before the first line", as diff has it
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", oldLine, oldLen, newLine, newLen)
	for _, e := range edits {
		b.WriteByte(e.sign)
		b.WriteString(e.text)
		if !strings.HasSuffix(e.text, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

func count(e edit, except byte) int {
	if e.sign == except {
		return 0
	}
	return 1
}

func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// compare finds a shortest list of edits, by the longest common subsequence of
// what is left between the common beginning and end.
func compare(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head, a, b = append(head, edit{' ', a[0]}), a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append([]edit{{' ', a[len(a)-1]}}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if max(len(a), len(b)) > 5000 {
		return nil
	}
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			head, i, j = append(head, edit{' ', a[i]}), i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			head, i = append(head, edit{'-', a[i]}), i+1
		default:
			head, j = append(head, edit{'+', b[j]}), j+1
		}
	}
	return append(head, tail...)
}
