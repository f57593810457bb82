package rules

import (
	"bytes"
	"strings"
)

// A chunk is the text of one document of a file.
type chunk struct {
	text []byte
	line int // where it starts in the file, from 1
}

// documents splits a file at the lines that start with --- and after those that
// start with "...". YAML forbids both within a document, even within a quoted
// or block scalar, so that no parsing is needed. Each document is kept apart so
// that what has not changed is recognised by its text.
func documents(data []byte) []chunk {
	var chunks []chunk
	begin, first, line, bare := 0, 1, 1, true
	cut := func(end, next int) {
		if !bare {
			chunks = append(chunks, chunk{data[begin:end], first})
		}
		begin, first, bare = end, next, true
	}
	for at := 0; at < len(data); line++ {
		row := lineAt(data, at)
		if !bare && marks(row, "---") {
			cut(at, line)
		}
		at += len(row)
		bare = bare && empty(row)
		if marks(row, "...") {
			cut(at, line+1)
		}
	}
	cut(len(data), line)
	return chunks
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
