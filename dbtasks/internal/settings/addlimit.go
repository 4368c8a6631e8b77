package settings

import (
	"bytes"
	"errors"
	"maps"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
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

// AddLimit puts a pool limit of 5 behind DATABASE_URL in the text of a .env
// file, in the form that the project's drivers take (Config.Form), where the
// URL carries none. Nothing else changes, byte for byte, and it is read again
// to make sure. The error is a *SettingError where the
// file or the URL can't be read, else ErrCantAdd, and Write is the line to
// write by hand. path is the file's, for errors.
func AddLimit(path string, text []byte, form jsproject.Form) (LimitAdded, error) {
	var a LimitAdded
	u, variables, err := databaseURL(path, text, form)
	if u == nil {
		a.Found = err != nil
		return a, err
	}
	a.Found, a.Line = true, u.Origin.Line
	if u.Limit > 0 {
		return a, nil
	}
	if u.Options != "" && form == jsproject.Options { // there is one parameter of that name already
		a.Was, a.Write = u.line("", ""), u.WithLimit(suggestedLimit)
		return a, ErrCantAdd
	}
	a.Was, a.Write = u.line("", ""), u.WithLimit(suggestedLimit)
	raw := []byte(u.Raw())
	start, end := lineAt(text, a.Line)
	if bytes.Count(text[start:end], raw) != 1 {
		return a, ErrCantAdd
	}
	at := start + bytes.Index(text[start:end], raw) + len(raw)
	after := bytes.Join([][]byte{text[:at], []byte(u.separator() + limitText(form, suggestedLimit)), text[at:]}, nil)
	v, again, err := databaseURL(path, after, form)
	if err != nil || v == nil || v.Limit != suggestedLimit || !strings.HasPrefix(v.Raw(), u.Raw()) {
		return a, ErrCantAdd
	}
	delete(variables, DatabaseURL)
	delete(again, DatabaseURL)
	if !maps.Equal(variables, again) {
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

// separator is what stands between the URL and a parameter more.
func (u *URL) separator() string {
	raw := u.Raw()
	switch {
	case strings.HasSuffix(raw, "?") || strings.HasSuffix(raw, "&"):
		return ""
	case strings.Contains(raw, "?"):
		return "&"
	}
	return "?"
}

// databaseURL reads DATABASE_URL from the text of one file, and every variable
// of it; a nil URL: it is not set there.
func databaseURL(path string, text []byte, form jsproject.Form) (*URL, map[string]string, error) {
	f := &envFile{path: path, there: true}
	f.parse(text, dotenvGrammar)
	if f.problem != nil {
		return nil, nil, f.problem
	}
	variables := map[string]string{}
	loaded := loadPlain([]*envFile{f}, nil)
	for name, found := range loaded {
		variables[name] = found.value
	}
	set, ok := loaded[DatabaseURL]
	if !ok || set.value == "" {
		return nil, variables, nil
	}
	u, err := parseURL(set.value, Origin{Variable: DatabaseURL, File: path, Line: set.line}, "", form)
	return u, variables, err
}
