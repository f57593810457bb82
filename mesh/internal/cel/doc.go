// Package cel evaluates the part of the Common Expression Language that rules
// about telemetry are written in: access-log filters and tag overrides.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md
//
//	p, err := cel.Parse(`response.code >= 500 || request.headers['x-debug'] == 'on'`)
//	hit := p.Eval(attributes).IsTrue()
//
// It knows: literals; attributes, as names with dots; selection and indexing of
// maps and lists; ! - * / % + == != < <= > >= in && || and ?:; has(); size, string,
// int, double, bool, duration; startsWith, endsWith, contains and matches.
// Logic takes an error from either side if the other side decides, as CEL's does.
//
// It does not know: comprehensions (all, exists, map, filter), messages, maps
// written in the expression, timestamps, bytes, and types as values.
//
// # Concurrency
//
// A Program is immutable.
package cel
