package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	rootFields = []string{"apiVersion", "kind", "metadata", "spec", "status"}
	metaFields = []string{
		"name", "namespace", "labels", "annotations", "creationTimestamp",
		// Kubernetes writes these; they say nothing to a mesh.
		"uid", "resourceVersion", "generation", "generateName", "managedFields", "ownerReferences",
		"finalizers", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "clusterName",
	}
	// What Kubernetes accepts as the name of an object and of a namespace (RFC 1123).
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	dnsLabel  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

// envelope notes what names the object n, as far as it can be read: a fault in
// the rest shall name it too.
func envelope(file string, n *node) walker {
	c := &checker{lines: map[string]int{}, meta: Meta{
		File: file, Line: n.line, Namespace: "default",
		Kind: textOf(n.get("kind")), APIVersion: textOf(n.get("apiVersion")),
	}}
	if m := n.get("metadata"); m != nil {
		c.meta.Name = textOf(m.get("name"))
		if ns := textOf(m.get("namespace")); ns != "" {
			c.meta.Namespace = ns
		}
	}
	return walker{checker: c}
}

// textOf is the string in n, or "" where there is none. What is too long to be
// valid anywhere is cut for messages.
func textOf(n *node) string {
	if n == nil || n.shape != text {
		return ""
	}
	return clip(n.text, 300)
}

// rule reads an object of a kind in force; nil if something is wrong with it.
func (w walker) rule(n *node, k kind) member {
	spec := &node{shape: mapping, line: n.line}
	w.fixed("", n, rootFields, func(name string, f *field) {
		switch name {
		case "metadata":
			w.metadata(&f.value)
		case "spec":
			if f.value.shape != null {
				spec = &f.value
			}
		}
	})
	if !w.written("metadata.name") {
		w.invalid("metadata.name", "want a name: it is missing")
	}
	w.quoted = k.quoted
	usable := w.message("spec", spec, k.spec)
	if w.faults.Worst() == Invalid {
		if usable {
			w.rest(spec, k)
		}
		return nil
	}
	m, err := k.build(w.checker, spec.appendJSON(nil))
	if err != nil {
		w.invalid("spec", "its decoder rejects it: %v", err)
		return nil
	}
	return m
}

// rest validates what can be decoded of an object of which something cannot, so
// that all its faults are told at once, but for those that may be of the bad
// fields' making.
func (w walker) rest(spec *node, k kind) {
	bad := w.faults
	c := &checker{meta: w.meta, lines: w.lines}
	if _, err := k.build(c, spec.appendJSON(nil)); err != nil {
		return // it says nothing that has not been said
	}
	for _, f := range c.faults {
		if !slices.ContainsFunc(bad, func(b Fault) bool { return c.mayFollow(f.Field, b.Field) }) {
			w.append(f, maxObjectFaults)
		}
	}
}

// mayFollow says that what is wrong with a place may only seem so because a bad
// field was left out: the one contains the other, or they stand side by side, and
// the place is missing (the bad field may be it, misspelt) or is judged by a
// value that could not be read.
func (c *checker) mayFollow(place, bad string) bool {
	return within(place, bad) || within(bad, place) ||
		parentOf(place) == parentOf(bad) && (!c.written(place) || c.written(bad))
}

// within says that the place inner is outer, or lies in it.
func within(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// fixed calls each for every field of n, once, and reports those not known.
func (w walker) fixed(path string, n *node, known []string, each func(name string, f *field)) {
	seen := map[string]*field{}
	for i := range n.fields {
		f := &n.fields[i]
		name, full := f.name(), path+clip(f.name(), maxKey)
		if first := seen[name]; first != nil {
			w.twice(full, first, f)
			continue
		}
		seen[name] = f
		w.at(full, f.key.line)
		if !slices.Contains(known, name) {
			w.bad(f.key.line, full, "unknown field %s%s", strconv.Quote(clip(name, 60)), didYouMean(name, known))
			continue
		}
		each(name, f)
	}
}

func (w walker) metadata(n *node) {
	if n.shape != mapping {
		w.bad(n.line, "metadata", "want a mapping, got %s", n.shown())
		return
	}
	w.fixed("metadata.", n, metaFields, func(name string, f *field) {
		path := "metadata." + name
		switch name {
		case "name":
			w.name(path, &f.value)
		case "namespace":
			w.namespace(path, &f.value)
		case "labels":
			w.meta.Labels = w.pairs(path, &f.value)
		case "annotations":
			w.meta.Annotations = w.pairs(path, &f.value)
		case "creationTimestamp":
			w.created(path, &f.value)
		}
	})
}

func (w walker) name(path string, n *node) {
	w.text(path, n)
	if n.shape == text && (len(n.text) > 253 || !subdomain.MatchString(n.text)) {
		w.bad(n.line, path, "%s is no name: want at most 253 of a-z, 0-9, - and ., that begin and end with a letter or digit", n.shown())
	}
}

func (w walker) namespace(path string, n *node) {
	if n.shape == null {
		return
	}
	w.text(path, n)
	if n.shape == text && (len(n.text) > 63 || !dnsLabel.MatchString(n.text)) {
		w.bad(n.line, path, "%s is no namespace: want 1 to 63 of a-z, 0-9 and -, that begin and end with a letter or digit", n.shown())
	}
}

// pairs reads a mapping of strings.
func (w walker) pairs(path string, n *node) map[string]string {
	if n.shape == null {
		return nil
	}
	if n.shape != mapping {
		w.bad(n.line, path, "want a mapping of strings, got %s", n.shown())
		return nil
	}
	values := make(map[string]string, len(n.fields))
	seen := map[string]*field{}
	for i := range n.fields {
		f := &n.fields[i]
		if entry := path + f.index(); w.entry(entry, f, seen) {
			w.text(entry, &f.value)
			values[f.name()] = f.value.text
		}
	}
	return values
}

// created accepts null, which kubectl writes for an object not yet created.
func (w walker) created(path string, n *node) {
	if n.shape == null {
		return
	}
	w.timestamp(path, n, nil)
	w.meta.Created, _ = time.Parse(time.RFC3339Nano, n.text) // timestamp has told
}
