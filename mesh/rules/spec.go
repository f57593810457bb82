package rules

import (
	"fmt"
	"strconv"
	"strings"
	"unique"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A walker compares a spec, as written, with the message that it is to become,
// and reports every difference at once. The decoder that follows would stop at
// the first, would know no lines, and would silently keep one of two fields
// that exclude each other.
type walker struct {
	*checker
	quoted bool // numbers may be quoted
}

// at notes that path is written on line.
func (w walker) at(path string, line int) {
	// Objects of a kind share most of their paths.
	w.lines[unique.Make(path).Value()] = line - w.meta.Line
}

// bad reports what Istio would reject too, or would silently drop.
func (w walker) bad(line int, path, format string, args ...any) {
	f := w.meta.fault(Invalid, fmt.Sprintf(format, args...))
	f.Field, f.Line = path, line
	w.append(f, maxObjectFaults)
}

// The checks below report whether what they looked at can be decoded. A field that
// cannot is left out, so that the rest of the object is validated all the same.

// message checks the mapping n against the message type md.
func (w walker) message(path string, n *node, md protoreflect.MessageDescriptor) (usable bool) {
	if n.shape != mapping {
		w.bad(n.line, path, "want a mapping (%s), got %s", md.Name(), n.shown())
		return false
	}
	members := map[protoreflect.Name]*field{} // of a oneof: the one written first
	seen := map[protoreflect.FieldNumber]*field{}
	for i := range n.fields {
		f := &n.fields[i]
		fd := fieldNamed(md, f.name())
		f.leftOut = true
		if fd == nil {
			w.unknown(path, f, md)
			continue
		}
		if first := seen[fd.Number()]; first != nil {
			w.twice(path+"."+fd.JSONName(), first, f)
			continue
		}
		seen[fd.Number()] = f
		alone := w.exclusive(path, f, fd, members)
		f.leftOut = !w.field(path+"."+fd.JSONName(), f, fd) || !alone
	}
	return true
}

// fieldNamed finds a field by either of its names: retryOn, retry_on.
func fieldNamed(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByJSONName(name); fd != nil {
		return fd
	}
	return md.Fields().ByName(protoreflect.Name(name))
}

func (w walker) unknown(path string, f *field, md protoreflect.MessageDescriptor) {
	var known []string
	for i := range md.Fields().Len() {
		known = append(known, md.Fields().Get(i).JSONName())
	}
	w.bad(f.key.line, path+"."+clip(f.name(), maxKey), "%s has no field %s%s",
		md.Name(), strconv.Quote(clip(f.name(), 60)), didYouMean(f.name(), known))
}

func (w walker) twice(path string, first, again *field) {
	if first.name() == again.name() {
		w.bad(again.key.line, path, "written twice, first on line %d", first.key.line)
		return
	}
	w.bad(again.key.line, path, "written twice, on line %d as %s and here as %s: they are one field",
		first.key.line, clip(first.name(), 60), clip(again.name(), 60))
}

// exclusive reports the second of two fields of which a message holds one.
func (w walker) exclusive(path string, f *field, fd protoreflect.FieldDescriptor, members map[protoreflect.Name]*field) (usable bool) {
	group := fd.ContainingOneof()
	if group == nil || group.IsSynthetic() || f.value.shape == null {
		return true
	}
	first := members[group.Name()]
	if first == nil {
		members[group.Name()] = f
		return true
	}
	w.bad(f.key.line, path+"."+fd.JSONName(), "only one of %s may be written; %s stands on line %d",
		oneofNames(group), first.name(), first.key.line)
	return false
}

func oneofNames(group protoreflect.OneofDescriptor) string {
	var names []string
	for i := range group.Fields().Len() {
		names = append(names, group.Fields().Get(i).JSONName())
	}
	return strings.Join(names, ", ")
}

// field checks one field. null means absent, as it does to Istio and to
// Kubernetes; where text is wanted it more likely is a ~ or a forgotten value.
func (w walker) field(path string, f *field, fd protoreflect.FieldDescriptor) (usable bool) {
	singular := !fd.IsList() && !fd.IsMap()
	if f.value.shape == null && !(singular && fd.Kind() == protoreflect.StringKind) {
		return true
	}
	w.at(path, f.key.line)
	switch {
	case fd.IsList():
		return w.list(path, &f.value, fd)
	case fd.IsMap():
		return w.entries(path, &f.value, fd)
	}
	return w.value(path, &f.value, fd)
}

// list: one bad item spoils it, for without that the others would change places.
func (w walker) list(path string, n *node, fd protoreflect.FieldDescriptor) (usable bool) {
	if n.shape != sequence {
		w.bad(n.line, path, "want a list, got %s", n.shown())
		return false
	}
	usable = true
	for i := range n.items {
		item := path + "[" + strconv.Itoa(i) + "]"
		w.at(item, n.items[i].line)
		usable = w.present(item, &n.items[i], fd) && usable
	}
	return usable
}

func (w walker) entries(path string, n *node, fd protoreflect.FieldDescriptor) (usable bool) {
	if n.shape != mapping {
		w.bad(n.line, path, "want a mapping, got %s", n.shown())
		return false
	}
	seen := map[string]*field{}
	for i := range n.fields {
		f := &n.fields[i]
		entry := path + f.index()
		f.leftOut = !w.entry(entry, f, seen) || !w.fittingKey(entry, &f.key, fd.MapKey()) ||
			!w.present(entry, &f.value, fd.MapValue())
	}
	return true
}

// entry checks the key of a map's entry, and says whether it is the first.
func (w walker) entry(path string, f *field, seen map[string]*field) bool {
	if first := seen[f.name()]; first != nil {
		w.twice(path, first, f)
		return false
	}
	seen[f.name()] = f
	w.at(path, f.key.line)
	w.key(path, &f.key)
	return true
}

// maxKey bounds what a key adds to a path.
const maxKey = 256

// index is what a map's entry adds to a path: its key as it is written.
func (f *field) index() string { return "[" + clip(f.key.text, maxKey) + "]" }

// key reports a key that YAML reads as something else than what is written.
func (w walker) key(path string, key *node) {
	if key.shape == text || key.shape == number && key.literal() {
		return
	}
	w.bad(key.line, path, "YAML reads the key %s as %s%s: quote it, %q",
		clip(key.text, 60), key.shape, reading(key), clip(key.text, 60))
}

// fittingKey reports a key that is no number where one is wanted.
func (w walker) fittingKey(path string, key *node, fd protoreflect.FieldDescriptor) (usable bool) {
	if fd.Kind() == protoreflect.StringKind {
		return true
	}
	if lowest, highest, ok := fits(key.text, fd.Kind()); !ok {
		w.bad(key.line, path, "want a whole number from %d to %d as the key, got %q", lowest, highest, clip(key.text, 60))
		return false
	}
	return true
}

// present checks an element of a list or a map: it cannot be absent. A null
// there would decode to an empty value that nobody wrote.
func (w walker) present(path string, n *node, fd protoreflect.FieldDescriptor) (usable bool) {
	if n.shape == null && fd.Kind() != protoreflect.StringKind {
		w.bad(n.line, path, "want %s, got null", wanted(fd))
		return false
	}
	return w.value(path, n, fd)
}

func (w walker) value(path string, n *node, fd protoreflect.FieldDescriptor) (usable bool) {
	before := w.invalids()
	if fd.Kind() != protoreflect.MessageKind {
		w.scalar(path, n, fd)
		return w.invalids() == before
	}
	if check := wellKnown(fd.Message().FullName()); check != nil {
		check(w, path, n, fd.Message())
		return w.invalids() == before
	}
	return w.message(path, n, fd.Message())
}
