package rules

import (
	"bytes"
	"strings"
)

// A chunk is the text of one document of a file.
type chunk struct {
	text []byte
	at   int // where it starts in the file
	line int // the line there, from 1
}

// A splitter cuts a file at the lines that start with --- and after those that
// start with "...". YAML forbids both within a document, even within a quoted
// or block scalar, so that no parsing is needed. Each document is kept apart so
// that what has not changed is recognised by its text.
//
// Nothing but where it stands decides how it goes on: a splitter that is set
// down where a document begins finds the same documents as one that came there.
type splitter struct {
	data []byte
	at   int // where the next document begins
	line int // the line there, from 1
}

// next is false where nothing but blanks and comments is left.
func (s *splitter) next() (chunk, bool) {
	c, bare := chunk{at: s.at, line: s.line}, true
	for s.at < len(s.data) {
		row := lineAt(s.data, s.at)
		if !bare && marks(row, "---") {
			break
		}
		s.at += len(row)
		s.line++
		bare = bare && empty(row)
		if marks(row, "...") {
			break
		}
	}
	c.text = s.data[c.at:s.at]
	return c, !bare
}

func lineAt(data []byte, at int) []byte {
	if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
		return data[at : at+n+1]
	}
	return data[at:]
}

func marks(row []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(row, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// empty says that a line cannot be part of a value: a directive (%YAML 1.2)
// goes with the --- that follows it.
func empty(row []byte) bool {
	row = bytes.TrimSpace(row)
	return len(row) == 0 || row[0] == '#' || row[0] == '%'
}
