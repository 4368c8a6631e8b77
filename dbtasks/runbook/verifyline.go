package runbook

import (
	"bytes"
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// reportMark is the comment at the end of the line that a module gets while the
// proof lasts: it tells a reader what the line is, and the next run what to
// take out, should this process and its keeper both be killed.
const reportMark = "// dbtasks dev:verify: remove this line"

// reportLine makes a module report its evaluation to this URL.
func reportLine(url string) []byte {
	return fmt.Appendf(nil, "\n;void fetch(%q).catch(() => {}); %s\n", url, reportMark)
}

var (
	// The statement as it was written, or as a formatter may have written it anew.
	reportStatement = lazyregexp.New("(?m)(?:^[ \\t]*;)?[ \\t]*void fetch\\(\\s*[\"'`]http://127\\.0\\.0\\.1:\\d+/evaluated/\\d+/\\d+[\"'`],?\\s*\\)\\s*\\.catch\\(\\s*\\(\\)\\s*=>\\s*\\{\\s*\\},?\\s*\\)[ \\t]*;?")
	// The same for any path, where our comment stands behind it.
	reportMarked  = lazyregexp.New("(?m)((?:^[ \\t]*;)?[ \\t]*void fetch\\(\\s*[\"'`]http://127\\.0\\.0\\.1:\\d+/[^\"'`\\s]*[\"'`],?\\s*\\)\\s*\\.catch\\(\\s*\\(\\)\\s*=>\\s*\\{\\s*\\},?\\s*\\)[ \\t]*;?)[ \\t]*// ?dbtasks dev:verify: remove this line")
	reportComment = lazyregexp.New(`[ \t]*// ?dbtasks dev:verify: remove this line`)
	reportURL     = lazyregexp.New(`^(?:h|ht|htt|http|http:|http:/|http://[0-9.]*|http://127\.0\.0\.1:[0-9a-z/]*)?$`)
)

// withoutReport is a module without any line of ours, whatever became of it: the
// statement and the comment are taken out where they are, and the rest of their
// line, which somebody else wrote, stays a comment if it was one.
func withoutReport(text []byte) []byte {
	for text = cutShort(text); ; {
		at := reportStatement().FindIndex(text)
		if marked := reportMarked().FindSubmatchIndex(text); at == nil && marked != nil {
			at = marked[2:4]
		}
		comment := reportComment().FindIndex(text)
		switch {
		case at != nil:
			text = without(text, at[0], at[1])
		case comment != nil:
			text = withoutComment(text, comment[0], comment[1], false)
		default:
			return text
		}
	}
}

// cutShort takes away the beginning of our line at the end of a file: what a
// full disk leaves of it.
func cutShort(text []byte) []byte {
	const start = "\n;void fetch(\""
	i := bytes.LastIndex(text, []byte(start))
	if i < 0 {
		return text
	}
	url, rest, whole := bytes.Cut(text[i+len(start):], []byte(`"`))
	line := reportLine(string(url))
	if !reportURL().Match(url) || whole && (len(line) == len(text)-i || !bytes.HasPrefix(line, text[i:])) || !whole && len(rest) > 0 {
		return text
	}
	return text[:i:i]
}

// without takes a statement of ours out of its line, and the comment behind it.
func without(text []byte, from, to int) []byte {
	asWritten := text[from] == ';'
	if c := reportComment().FindIndex(text[to:]); c != nil && c[0] == 0 {
		return withoutComment(cat(text[:from], text[to:]), from, from+c[1], asWritten)
	}
	return withoutLine(text, from, to, asWritten)
}

// withoutComment takes the comment out; what follows it on its line becomes one
// of its own.
func withoutComment(text []byte, from, to int, asWritten bool) []byte {
	line, _, _ := bytes.Cut(text[to:], []byte("\n"))
	if len(bytes.TrimSpace(line)) > 0 {
		return cat(text[:from], []byte("//"), text[to:])
	}
	return withoutLine(text, from, to, asWritten)
}

// withoutLine takes a part out, and with it its line where nothing else is on
// it; of one that is as it was written, with the line break that was put before it.
func withoutLine(text []byte, from, to int, asWritten bool) []byte {
	before, after := text[:from], text[to:]
	start := bytes.LastIndexByte(before, '\n') + 1
	line, rest, more := bytes.Cut(after, []byte("\n"))
	if len(bytes.TrimSpace(before[start:])) > 0 || len(bytes.TrimSpace(line)) > 0 {
		return cat(before, after)
	}
	if start == 0 || !asWritten {
		return cat(before[:start], rest)
	}
	// Ours was put behind a line break of its own.
	before = before[:start-1]
	if bytes.HasSuffix(line, []byte("\r")) { // an editor has made two characters of it
		before = bytes.TrimSuffix(before, []byte("\r"))
	}
	if len(rest) == 0 && more || len(before) == 0 || bytes.HasSuffix(before, []byte("\n")) {
		return cat(before, rest)
	}
	return cat(before, []byte("\n"), rest)
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
