package rules

import (
	"iter"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checkFields applies what holds for a field wherever its message appears:
// unsupported fields, bounds of numbers, and durations. What depends on the
// neighbours of a field is left to the validators of each kind. No message in a
// list or map is nil: the walker that comes first rejects null.
func checkFields(c *checker, spec proto.Message) {
	checkMessage(c, "spec", spec.ProtoReflect())
}

func checkMessage(c *checker, path string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		path := path + "." + fd.JSONName()
		checkUnsupported(c, path, fd)
		for at, value := range values(path, fd, m.Get(fd)) {
			checkValue(c, at, fd, value)
		}
	}
}

func checkValue(c *checker, path string, fd protoreflect.FieldDescriptor, value protoreflect.Value) {
	if number, ok := numberOf(value); ok {
		checkBound(c, path, fd, number)
		return
	}
	m, ok := value.Interface().(protoreflect.Message)
	switch {
	case !ok:
	case m.Descriptor().FullName() == "google.protobuf.Duration":
		checkDuration(c, path, fd, m)
	default:
		checkMessage(c, path, m)
	}
}

// values are a field's value, or its elements, with the path of each; map
// entries in the order of their keys.
func values(path string, fd protoreflect.FieldDescriptor, v protoreflect.Value) iter.Seq2[string, protoreflect.Value] {
	return func(yield func(string, protoreflect.Value) bool) {
		switch {
		case fd.IsMap():
			eachEntry(path, v.Map(), yield)
		case fd.IsList():
			for i := range v.List().Len() {
				if !yield(nth(path, i), v.List().Get(i)) {
					return
				}
			}
		default:
			yield(path, v)
		}
	}
}

func eachEntry(path string, m protoreflect.Map, yield func(string, protoreflect.Value) bool) {
	entries := map[string]protoreflect.Value{}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		entries[k.String()] = v
		return true
	})
	for k, v := range sorted(entries) {
		if !yield(entry(path, k), v) {
			return
		}
	}
}

// sorted yields the entries of m by key, so that faults have one order.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// item is the path of the i-th element of the list at path.field.
func item(path, field string, i int) string { return nth(path+"."+field, i) }

// entry is the path of the entry with key of the map at path.
func entry(path, key string) string { return path + "[" + key + "]" }

// nth is the path of the i-th element of the list at path.
func nth(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
