package settings

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// ErrCantAdd is a DATABASE_URL that AddLimit can't complete where it stands:
// put together from other variables, or spread over lines.
var ErrCantAdd = errors.New("the limit can't be added where the URL stands")

// LimitAdded is what AddLimit did to the text of a .env file.
type LimitAdded struct {
	Found      bool   // the file sets DATABASE_URL
	Text       []byte // the text with the limit; nil: there is nothing to add
	Line       int    // of DATABASE_URL
	Was, Write string // the line before and after, secrets masked; Write is empty where there is nothing to add
}

// AddLimit puts connection_limit=5 behind DATABASE_URL in the text of a .env
// file, where the URL carries no limit. Nothing else changes, byte for byte,
// and it is read again to make sure. The error is a *SettingError where the
// file or the URL can't be read, else ErrCantAdd, and Write is the line to
// write by hand. path is the file's, for errors.
func AddLimit(path string, text []byte) (LimitAdded, error) {
	var a LimitAdded
	u, d, err := databaseURL(path, text)
	if u == nil {
		a.Found = err != nil
		return a, err
	}
	a.Found, a.Line = true, u.Origin.Line
	if u.Limit > 0 {
		return a, nil
	}
	a.Was, a.Write = u.line("", ""), u.WithLimit(suggestedLimit)
	raw := []byte(u.Raw())
	start, end := lineAt(text, a.Line)
	if bytes.Count(text[start:end], raw) != 1 {
		return a, ErrCantAdd
	}
	sign := "?"
	if bytes.Contains(raw, []byte("?")) {
		sign = "&"
	}
	if bytes.HasSuffix(raw, []byte("?")) || bytes.HasSuffix(raw, []byte("&")) {
		sign = ""
	}
	at := start + bytes.Index(text[start:end], raw) + len(raw)
	after := bytes.Join([][]byte{text[:at], fmt.Appendf(nil, "%sconnection_limit=%d", sign, suggestedLimit), text[at:]}, nil)
	v, again, err := databaseURL(path, after)
	if err != nil || v == nil || v.Limit != suggestedLimit || !strings.HasPrefix(v.Raw(), u.Raw()) {
		return a, ErrCantAdd
	}
	delete(d.values, DatabaseURL)
	delete(again.values, DatabaseURL)
	if !maps.Equal(d.values, again.values) {
		return a, ErrCantAdd // others were made of it
	}
	a.Text = after
	return a, nil
}

// lineAt is where line n, counted from 1, begins and ends.
func lineAt(text []byte, n int) (start, end int) {
	for i := 1; i < n; i++ {
		next := bytes.IndexByte(text[start:], '\n')
		if next < 0 {
			return len(text), len(text)
		}
		start += next + 1
	}
	if length := bytes.IndexByte(text[start:], '\n'); length >= 0 {
		return start, start + length
	}
	return start, len(text)
}

// databaseURL reads DATABASE_URL from the text of one file; nil: it is not set there.
func databaseURL(path string, text []byte) (*URL, dotenv, error) {
	d, err := parseDotenv(path, text)
	if err != nil {
		return nil, d, err
	}
	s := &sources{files: []dotenv{d}}
	value, origin := s.lookup(DatabaseURL)
	if value == "" {
		return nil, d, nil
	}
	u, err := parseURL(value, origin, "")
	return u, d, err
}
