package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// errNoObject is a text that is no JSON object, or one whose member is none.
var errNoObject = errors.New("not an object")

// member is one key of a JSON text with its value.
type member struct{ key, value string }

// insertMembers adds string members to the object that key names in a JSON
// text, behind its last one. Every other byte stays: indentation, order, line
// ends, byte-order mark. An object that is not there is added to the text's own.
func insertMembers(text []byte, key string, members []member) ([]byte, error) {
	outer, err := scanObject(text, len(text)-len(withoutBOM(text)))
	if err != nil {
		return nil, err
	}
	end := lineEnd(string(text))
	unit := indentAt(text, outer.firstKey)
	if unit == "" {
		unit = "  "
	}
	if at, ok := outer.values[key]; ok {
		inner, err := scanObject(text, at)
		if err != nil {
			return nil, err
		}
		return inner.insert(text, render(members), end, indentAt(text, outer.firstKey), unit), nil
	}
	lines := render(members)
	value := "{" + end + unit + unit + strings.Join(lines, ","+end+unit+unit) + end + unit + "}"
	return outer.insert(text, []string{quote(key) + ": " + value}, end, "", unit), nil
}

func render(members []member) []string {
	var lines []string
	for _, m := range members {
		lines = append(lines, quote(m.key)+": "+quote(m.value))
	}
	return lines
}

func quote(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always encodes
	return strings.TrimSpace(b.String())
}

// jsonObject is where an object stands in a text.
type jsonObject struct {
	open, close         int // its braces
	firstKey, lastValue int // begin of the first key, end of the last value; 0: it is empty
	values              map[string]int
}

// scanObject reads the object that begins at or behind from.
func scanObject(text []byte, from int) (jsonObject, error) {
	o := jsonObject{values: map[string]int{}}
	dec := json.NewDecoder(bytes.NewReader(text[from:]))
	first, err := dec.Token()
	if err != nil {
		return o, err
	}
	if first != json.Delim('{') {
		return o, errNoObject
	}
	o.open = from + int(dec.InputOffset()) - 1
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return o, err
		}
		key, _ := token.(string) // the decoder takes nothing else for a key
		behind := from + int(dec.InputOffset())
		if o.firstKey == 0 {
			o.firstKey = o.open + 1 + bytes.IndexByte(text[o.open+1:], '"')
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return o, err
		}
		o.lastValue = from + int(dec.InputOffset())
		o.values[key] = behind + bytes.IndexByte(text[behind:], ':') + 1
	}
	if _, err := dec.Token(); err != nil {
		return o, err
	}
	o.close = from + int(dec.InputOffset()) - 1
	return o, nil
}

// insert adds members behind the last one, in its manner: each on a line of
// its own, or all on one line. outer is the indentation of the line that the
// object begins on, for an empty object.
func (o jsonObject) insert(text []byte, lines []string, end, outer, unit string) []byte {
	if o.lastValue == 0 {
		body := end + outer + unit + strings.Join(lines, ","+end+outer+unit) + end + outer
		return splice(text, o.open+1, o.close, body)
	}
	between := ", "
	if bytes.ContainsAny(text[o.open:o.firstKey], "\n") {
		between = "," + end + indentAt(text, o.firstKey)
	}
	return splice(text, o.lastValue, o.lastValue, between+strings.Join(lines, between))
}

func splice(text []byte, from, to int, insert string) []byte {
	return bytes.Join([][]byte{text[:from], []byte(insert), text[to:]}, nil)
}

// lineEnd is how the lines of a text end.
func lineEnd(text string) string {
	if strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// indentAt is the white space that the line of offset begins with, where
// nothing else stands before offset; else "".
func indentAt(text []byte, offset int) string {
	line := text[bytes.LastIndexByte(text[:offset], '\n')+1 : offset]
	if len(bytes.TrimLeft(line, " \t")) > 0 {
		return ""
	}
	return string(line)
}
