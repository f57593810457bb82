package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"unicode/utf8"
)

// maxFileSize bounds one file: Kubernetes stores no object beyond 1.5 MiB, and
// ten thousand rules of common size are less than this.
const maxFileSize = 10 << 20

// A Text is the content of one rule file, from wherever it comes.
type Text struct {
	Name string // of the file, for faults; .json says that Data is JSON
	Data []byte // see Parser on who may change it
}

// Parse reads one file: any number of YAML documents, or JSON values one after
// the other. name stands in faults; a name that ends in .json is read as JSON.
//
// The error is of type Faults and holds all that is wrong, warnings too. The
// warnings of a valid file are in Set.Warnings.
func Parse(name string, data []byte) (*Set, error) {
	return new(Parser).Parse(Text{name, data})
}

// A Parser parses the same files again and again, as they change. What has not
// changed is not parsed twice, and its objects keep their identity: a document
// whose text and place are the same gives the same pointers, one that only
// moved gives new Objects with the same Spec pointers.
//
// The zero Parser is ready. It is for one goroutine at a time; the Sets are for
// all. It keeps the Data of the last valid texts to compare it with what comes
// next: nobody may change it.
type Parser struct {
	good  *edition             // the last valid one; nil before it
	known map[digest]*document // what was read of late, good or bad
}

// Parse makes one Set of all files, or none: if an object in one of them is
// Invalid or Refused, the error holds all Faults, those of type Warning too.
func (p *Parser) Parse(files ...Text) (*Set, error) {
	r := p.read(files)
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	r.set.Warnings = slices.Clip(r.faults)
	return r.set, nil
}

// read reads the files. Its Set is of use if the faults are warnings only. The
// last valid edition outlives others, so that a file that is broken and mended
// changes nothing else.
func (p *Parser) read(files []Text) *edition {
	before := p.good
	if before == nil {
		before = new(edition)
	}
	pages := make([]*page, len(files))
	for i, f := range files {
		pages[i] = p.page(f, before.page(i, f.Name))
	}
	r, ok := before.amend(pages)
	if !ok {
		r = newEdition(pages)
	}
	p.forget(before, r)
	if r.faults.Err() == nil {
		p.good = r
	}
	return r
}

func readable(f Text) *Fault {
	fault := Fault{Severity: Invalid, File: f.Name, Line: 1}
	switch {
	case len(f.Data) > maxFileSize:
		fault.Message = fmt.Sprintf("the file holds %d bytes; the bound is %d (10 MiB)", len(f.Data), maxFileSize)
	case !utf8.Valid(f.Data):
		line, b := notUTF8(f.Data)
		fault.Line, fault.Message = line, fmt.Sprintf("byte %#02x is not UTF-8", b)
	default:
		return nil
	}
	return &fault
}

// notUTF8 finds the first byte that is not UTF-8, and its line.
func notUTF8(data []byte) (line int, b byte) {
	rest := data
	for r, n := utf8.DecodeRune(rest); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(rest) {
		rest = rest[n:]
	}
	return 1 + bytes.Count(data[:len(data)-len(rest)], []byte{'\n'}), rest[0]
}

func isJSON(file string) bool { return path.Ext(file) == ".json" }

// A document is what a chunk holds, and where it stands.
type document struct {
	text    digest
	file    string
	first   int // line
	members []member
	faults  Faults
}

func newDocument(file string, c chunk) *document {
	d := &document{file: file, first: c.line}
	nodes, err := nodes(file, c)
	for i := range nodes {
		d.object(file, &nodes[i])
	}
	if err != nil {
		d.faults = append(d.faults, Fault{Severity: Invalid, File: file, Line: err.line, Message: err.message})
	}
	return d
}

// nodes reads a chunk as JSON if it is called so, or is JSON: YAML contains
// most of it, though not all.
func nodes(file string, c chunk) ([]node, *syntaxError) {
	if n := separators(c.text); n > maxValues {
		return nil, &syntaxError{c.line, fmt.Sprintf("the document holds about %d values; the bound is %d", n, maxValues)}
	}
	trimmed := bytes.TrimSpace(c.text)
	if isJSON(file) || len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return readJSON(c.text, c.line)
	}
	return readYAML(c.text, c.line)
}

// object reads one object, or the objects of a list.
func (d *document) object(file string, n *node) {
	if n.shape == null {
		return // an empty document
	}
	w := envelope(file, n)
	switch {
	case n.shape != mapping:
		w.bad(n.line, "", "want a mapping with apiVersion, kind, metadata and spec, got %s", n.shown())
	case w.typed(n) && w.meta.Kind == "List" && w.meta.APIVersion == "v1":
		d.list(file, n, w)
	case w.faults == nil:
		d.single(n, w)
	}
	d.faults = append(d.faults, w.all(w.meta.fault(Warning, ""))...)
}

// typed says whether the object names its type.
func (w walker) typed(n *node) bool {
	for _, name := range []string{"apiVersion", "kind"} {
		if v := n.get(name); v == nil || v.shape != text || v.text == "" {
			w.invalid(name, "want a string: without %s this is no rule", name)
		}
	}
	return w.faults == nil
}

func (d *document) list(file string, n *node, w walker) {
	items := n.get("items")
	if items == nil || items.shape != sequence {
		w.invalid("items", "a List wants a list of items")
		return
	}
	for i := range items.items {
		if item := &items.items[i]; item.shape == null {
			w.bad(item.line, nth("items", i), "want an object, got null")
		} else {
			d.object(file, item)
		}
	}
}

func (d *document) single(n *node, w walker) {
	k, inForce, v := classify(w.meta.APIVersion, w.meta.Kind)
	if !inForce {
		w.append(w.meta.fault(v.severity, v.reason), maxObjectFaults)
		return
	}
	if m := w.rule(n, k); m != nil {
		d.members = append(d.members, m)
	}
}
