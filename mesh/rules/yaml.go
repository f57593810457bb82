package rules

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of one document. Real rules stay far below each.
const (
	maxDepth = 100 // values within values
	// maxValues bounds what the YAML reader holds before its tree can be
	// looked at: some 250 bytes a value.
	maxValues = 1_000_000
	// maxExpanded bounds what aliases may grow to: bytes of text, and valueCost
	// for each value. Without aliases no document reaches it.
	maxExpanded = 80 << 20
	valueCost   = 64
)

// A syntaxError is what keeps a document from being read at all.
type syntaxError struct {
	line    int // in the file, from 1
	message string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// readYAML reads the documents in data, whose first line is first. It is one as
// a rule: documents splits files, and leaves together only what lone carriage
// returns separate.
func readYAML(data []byte, first int) (docs []node, fault *syntaxError) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := decodeYAML(decoder, &doc); err == io.EOF {
			return docs, nil
		} else if err != nil {
			return docs, hinted(yamlError(err, first), data, first)
		}
		n, err := expand(&doc, first)
		if err != nil {
			return docs, hinted(err, data, first)
		}
		docs = append(docs, n)
	}
}

// decodeYAML turns the reader's panics into errors: it has internal checks that
// panic on rare malformed comments, and a file must not end the process.
func decodeYAML(d *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML reader fails on this document: %v", r)
		}
	}()
	return d.Decode(doc)
}

// yamlError takes the line out of the reader's message, where alone it stands.
// The reader counts from 1 when it splits text into tokens, and from 0 when it
// puts tokens together, which its messages begin with "did not find expected".
func yamlError(err error, first int) *syntaxError {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	fault := &syntaxError{first, "not YAML: " + message}
	rest, _ := strings.CutPrefix(message, "line ")
	digits, what, ok := strings.Cut(rest, ": ")
	line, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return fault
	}
	if strings.HasPrefix(what, "did not find expected") {
		line++
	}
	return &syntaxError{first + line - 1, "not YAML: " + what}
}

// hinted says what the line at fault looks like, where the reader's words are hard to
// understand: of a tab it tells that it is "a character that cannot start any token", and
// what a template leaves in braces is a mapping to it.
func hinted(fault *syntaxError, data []byte, first int) *syntaxError {
	for line := first; line < fault.line; line++ {
		_, data, _ = bytes.Cut(data, []byte{'\n'})
	}
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte{'\t'}):
		fault.message += "; the line begins with a tab, which indents nothing in YAML"
	case bytes.Contains(line, []byte("{{")):
		fault.message += "; is {{ of a template that was not rendered?"
	}
	return fault
}

// separators counts what stands between the values of a YAML or JSON text:
// about as many as there are values, at least half as many.
func separators(data []byte) int {
	n := 0
	for _, c := range []byte("\n\r,[{") {
		n += bytes.Count(data, []byte{c})
	}
	for i, c := range data {
		if (c == ':' || c == '-' || c == '?') && (i+1 == len(data) || !wordByte(data[i+1])) {
			n++
		}
	}
	return n
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
