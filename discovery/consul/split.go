package consul

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// origins say, for the keys of objects, where these were written.
type origins map[string]*rules.Meta

// objects are the documents of files, one each, under their keys. Faults name
// the files and lines that they were written in.
func (f folder) objects(files []rules.Text) (out []rules.Text, first origins, _ error) {
	var faults rules.Faults
	first = origins{}
	for _, file := range files {
		for _, d := range split(file) {
			set, err := rules.Parse(d.Name, d.Data)
			if bad, ok := errors.AsType[rules.Faults](err); ok {
				faults = append(faults, bad...)
				continue
			}
			faults = append(faults, f.place(set, d, first, &out)...)
		}
	}
	return out, first, faults.Err()
}

// place puts the object of a document under its key.
func (f folder) place(set *rules.Set, d rules.Text, first origins, out *[]rules.Text) (faults rules.Faults) {
	n := 0
	for m := range metas(set) {
		n++
		key := f.key(m)
		switch other := first[key]; {
		case n > 1:
			faults = append(faults, misfit(m, "it stands in a list: write each object as a document of its own"))
		case other != nil:
			faults = append(faults, misfit(m, "it stands in "+other.File+" already"))
		default:
			first[key] = m
			*out = append(*out, rules.Text{Name: key, Data: tidy(d.Data)})
		}
	}
	return faults
}

// name names the files and lines in faults of a set by keys.
func (o origins) name(faults rules.Faults, set *rules.Set) rules.Faults {
	moved := map[string]int{} // by so many lines
	for m := range metas(set) {
		if written := o[m.File]; written != nil {
			moved[m.File] = written.Line - m.Line
		}
	}
	faults = slices.Clone(faults)
	for i, f := range faults {
		if written := o[f.File]; written != nil {
			faults[i].File, faults[i].Line = written.File, f.Line+moved[f.File]
		}
	}
	return faults
}

// tidy is a document without what belongs to the file that it stood in.
func tidy(document []byte) []byte {
	document = bytes.TrimSpace(document)
	document = bytes.TrimPrefix(document, []byte("---\n"))
	return append(bytes.Clone(bytes.TrimSpace(document)), '\n')
}

func misfit(m *rules.Meta, message string) rules.Fault {
	return rules.Fault{
		Severity: rules.Invalid, File: m.File, Line: m.Line,
		Kind: m.Kind, Namespace: m.Namespace, Name: m.Name, Message: message,
	}
}

// split cuts a file into its documents. Each begins with as many empty lines as
// there are lines before it, so that faults tell the file's.
func split(file rules.Text) []rules.Text {
	if path.Ext(file.Name) == ".json" {
		return splitJSON(file)
	}
	return splitYAML(file)
}

// splitYAML cuts at the lines that begin with --- and after those that begin with
// "...", which YAML forbids within a document, even within a quoted or block
// scalar.
func splitYAML(file rules.Text) (out []rules.Text) {
	var doc []byte
	bare, lines := true, 0
	flush := func() {
		if !bare {
			out = append(out, rules.Text{Name: file.Name, Data: doc})
		}
		doc, bare = bytes.Repeat([]byte("\n"), lines), true
	}
	for line := range bytes.Lines(file.Data) {
		if marks(line, "---") && !bare {
			flush()
		}
		doc, lines = append(doc, line...), lines+1
		bare = bare && empty(line)
		if marks(line, "...") {
			flush()
		}
	}
	flush()
	return out
}

func marks(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// empty says that a line is part of no value: a directive (%YAML 1.2) goes with
// the --- that follows it.
func empty(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#' || line[0] == '%' || string(line) == "..."
}

// splitJSON cuts between the values. What is no JSON is left to whoever parses
// it, to say where.
func splitJSON(file rules.Text) (out []rules.Text) {
	decoder := json.NewDecoder(bytes.NewReader(file.Data))
	for {
		var value json.RawMessage
		if err := decoder.Decode(&value); err == io.EOF {
			return out
		} else if err != nil {
			return []rules.Text{file}
		}
		start := int(decoder.InputOffset()) - len(value)
		lines := bytes.Repeat([]byte("\n"), bytes.Count(file.Data[:start], []byte("\n")))
		out = append(out, rules.Text{Name: file.Name, Data: append(lines, value...)})
	}
}
