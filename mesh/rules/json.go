package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A jsonReader makes nodes of JSON. The YAML reader would almost do, but not
// for surrogate pairs (\ud83d\ude00), long keys and some white space.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	counted int64 // how far lines are counted
	line    int
	depth   int
}

// readJSON reads the values in data, whose first line is first, one after the other.
func readJSON(data []byte, first int) (docs []node, fault *syntaxError) {
	r := &jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: first}
	r.decoder.UseNumber()
	for {
		n, err := r.value()
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return docs, r.located(err)
		}
		docs = append(docs, n)
	}
}

func (r *jsonReader) located(err error) *syntaxError {
	if fault, ok := errors.AsType[*syntaxError](err); ok {
		return fault
	}
	offset := r.decoder.InputOffset()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = max(offset, syntax.Offset-1)
	}
	return &syntaxError{r.lineAt(offset), "not JSON: " + err.Error()}
}

// lineAt counts on from the last line asked for, so that all cost one pass.
func (r *jsonReader) lineAt(offset int64) int {
	offset = min(offset, int64(len(r.data)))
	if offset > r.counted {
		r.line += bytes.Count(r.data[r.counted:offset], []byte{'\n'})
		r.counted = offset
	}
	return r.line
}

func (r *jsonReader) value() (node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return node{}, err
	}
	line := r.lineAt(r.decoder.InputOffset())
	switch t := token.(type) {
	case json.Delim:
		return r.compound(t, line)
	case string:
		return node{shape: text, line: line, text: t}, nil
	case json.Number:
		return jsonNumber(t.String(), line), nil
	case bool:
		word := strconv.FormatBool(t)
		return node{shape: boolean, line: line, text: word, json: word}, nil
	}
	return node{line: line}, nil
}

// jsonNumber reads 1e3 as 1000, as YAML readers do, so that it fits integers.
func jsonNumber(s string, line int) node {
	n := node{shape: number, line: line, text: s, json: s}
	if js, ok := numeral(s); ok {
		n.json = js
	}
	return n
}

func (r *jsonReader) compound(open json.Delim, line int) (n node, err error) {
	if r.depth++; r.depth > maxDepth {
		return n, &syntaxError{line, fmt.Sprintf("values nest deeper than %d levels", maxDepth)}
	}
	defer func() { r.depth-- }()
	n = node{shape: sequence, line: line}
	if open == '{' {
		n.shape = mapping
	}
	for r.decoder.More() {
		if err := r.element(&n); err != nil {
			return n, whole(err)
		}
	}
	_, err = r.decoder.Token() // the closing delimiter
	return n, whole(err)
}

// whole tells the end of a value that is cut off from the end of the file.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *jsonReader) element(n *node) error {
	v, err := r.value()
	if err != nil {
		return err
	}
	if n.shape == sequence {
		n.items = append(n.items, v)
		return nil
	}
	f := field{key: v}
	f.value, err = r.value()
	n.fields = append(n.fields, f)
	return err
}
