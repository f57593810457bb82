package rules

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// An expander makes a tree of nodes out of a YAML graph, within bounds.
type expander struct {
	above int // lines of the file above the document
	left  int // bytes of maxExpanded
	depth int
	open  map[*yaml.Node]bool // anchors that are being expanded
}

func expand(doc *yaml.Node, first int) (node, *syntaxError) {
	e := expander{above: first - 1, left: maxExpanded, open: map[*yaml.Node]bool{}}
	if len(doc.Content) == 0 {
		return node{line: first}, nil
	}
	return e.node(doc.Content[0])
}

func (e *expander) node(y *yaml.Node) (node, *syntaxError) {
	if e.left -= valueCost + len(y.Value); e.left < 0 {
		return node{}, e.errorAt(y, "the document grows beyond %d MiB through its aliases", maxExpanded>>20)
	}
	if e.depth++; e.depth > maxDepth {
		return node{}, e.errorAt(y, "values nest deeper than %d levels", maxDepth)
	}
	defer func() { e.depth-- }()
	switch y.Kind {
	case yaml.AliasNode:
		return e.alias(y)
	case yaml.SequenceNode:
		return e.sequence(y)
	case yaml.MappingNode:
		return e.mapping(y)
	}
	return e.scalar(y)
}

func (e *expander) errorAt(y *yaml.Node, format string, args ...any) *syntaxError {
	return &syntaxError{e.above + y.Line, fmt.Sprintf(format, args...)}
}

func (e *expander) alias(y *yaml.Node) (node, *syntaxError) {
	if e.open[y.Alias] {
		return node{}, e.errorAt(y, "anchor &%s contains itself", y.Value)
	}
	e.open[y.Alias] = true
	defer delete(e.open, y.Alias)
	return e.node(y.Alias)
}

func (e *expander) sequence(y *yaml.Node) (node, *syntaxError) {
	n := node{shape: sequence, line: e.above + y.Line, items: make([]node, 0, len(y.Content))}
	for _, item := range y.Content {
		v, err := e.node(item)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, v)
	}
	return n, e.untagged(y)
}

// mapping puts merged fields behind the written ones, which win.
func (e *expander) mapping(y *yaml.Node) (node, *syntaxError) {
	n := node{shape: mapping, line: e.above + y.Line, fields: make([]field, 0, len(y.Content)/2)}
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		if isMerge(y.Content[i]) {
			merges = append(merges, y.Content[i+1])
			continue
		}
		f, err := e.field(y.Content[i], y.Content[i+1])
		if err != nil {
			return n, err
		}
		n.fields = append(n.fields, f)
	}
	if err := e.merge(&n, merges); err != nil {
		return n, err
	}
	return n, e.untagged(y)
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Tag == "!!merge"
}

func (e *expander) field(key, value *yaml.Node) (f field, err *syntaxError) {
	if f.key, err = e.node(key); err != nil {
		return f, err
	}
	if f.key.shape == sequence || f.key.shape == mapping || f.key.shape == null {
		return f, e.errorAt(key, "a key must be a string, not %s", f.key.shape)
	}
	f.value, err = e.node(value)
	return f, err
}

// merge adds the fields of mappings, or of lists of mappings, where the earlier
// win. YAML: "keys in mapping nodes earlier in the sequence override keys
// specified in later mapping nodes" (https://yaml.org/type/merge.html).
func (e *expander) merge(into *node, sources []*yaml.Node) *syntaxError {
	if len(sources) == 0 {
		return nil
	}
	have := make(map[string]bool, len(into.fields))
	for i := range into.fields {
		have[into.fields[i].name()] = true
	}
	for _, y := range sources {
		source, err := e.node(y)
		if err != nil {
			return err
		}
		if err := into.merge(&source, have); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) merge(source *node, have map[string]bool) *syntaxError {
	items := source.items
	if source.shape == mapping {
		items = []node{*source}
	} else if source.shape != sequence {
		return mergeError(source)
	}
	for i := range items {
		if items[i].shape != mapping {
			return mergeError(&items[i])
		}
		n.inherit(items[i].fields, have)
	}
	return nil
}

func mergeError(source *node) *syntaxError {
	return &syntaxError{source.line, fmt.Sprintf("<< merges a mapping or a list of mappings, not %s", source.shape)}
}

func (n *node) inherit(fields []field, have map[string]bool) {
	for i := range fields {
		if name := fields[i].name(); !have[name] {
			have[name] = true
			n.fields = append(n.fields, fields[i])
		}
	}
}

func (e *expander) scalar(y *yaml.Node) (node, *syntaxError) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if y.Style&yaml.TaggedStyle != 0 && y.Tag != "!!str" {
		return node{}, e.untagged(y)
	}
	if y.Style&(quoted|yaml.TaggedStyle) != 0 {
		return node{shape: text, line: e.above + y.Line, text: y.Value}, nil
	}
	return plain(y.Value, e.above+y.Line), nil
}

// untagged refuses tags: they are for types that rules do not have.
func (e *expander) untagged(y *yaml.Node) *syntaxError {
	if y.Style&yaml.TaggedStyle == 0 {
		return nil
	}
	return e.errorAt(y, "tag %s is not supported: rules have plain values only", clip(y.Tag, 60))
}
