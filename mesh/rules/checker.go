package rules

import (
	"fmt"
	"strings"
)

// A checker collects what is wrong with one object.
type checker struct {
	meta  Meta
	lines map[string]int // field path → lines below meta.Line
	tally
}

// invalid records that Istio rejects the field at path (spec.http[0].timeout) too.
func (c *checker) invalid(path, format string, args ...any) {
	c.add(Invalid, path, format, args)
}

// refuse records that inmesh cannot enforce the field at path.
func (c *checker) refuse(path, format string, args ...any) {
	c.add(Refused, path, format, args)
}

// warn records that the field at path has no effect, or hardly the one meant.
func (c *checker) warn(path, format string, args ...any) {
	c.add(Warning, path, format, args)
}

// written tells a field that stands in the file, even as {}, [] or 0, from an
// absent one: in the decoded message they look the same.
func (c *checker) written(path string) bool {
	_, ok := c.lines[path]
	return ok
}

func (c *checker) add(severity Severity, path, format string, args []any) {
	f := c.meta.fault(severity, fmt.Sprintf(format, args...))
	f.Field = path
	f.Line = lineOf(c.lines, path, c.meta.Line)
	c.append(f, maxObjectFaults)
}

// fault is a Fault at the object's first line.
func (m Meta) fault(severity Severity, message string) Fault {
	return Fault{
		Severity: severity, File: m.File, Line: m.Line,
		Kind: m.Kind, Namespace: m.Namespace, Name: m.Name,
		Message: message,
	}
}

// lineOf is the line of the nearest written field at or above path in an
// object whose first line is first.
func lineOf(lines map[string]int, path string, first int) int {
	for path != "" {
		if below, ok := lines[path]; ok {
			return first + below
		}
		path = parentOf(path)
	}
	return first
}

// parentOf cuts the last element off a path: a.b[1] → a.b → a → "". A map key
// may hold dots and brackets of its own, set[x.y], so that a path which ends in
// a bracket is cut at one of its opening brackets, the last first.
func parentOf(path string) string {
	if strings.HasSuffix(path, "]") {
		return path[:max(0, strings.LastIndexByte(path, '['))]
	}
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
