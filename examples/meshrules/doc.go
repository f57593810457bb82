// Command meshrules checks rule files, and says what they mean, without a mesh
// that runs.
//
//	meshrules lint rules/
//	meshrules explain -f rules/ -from app=productpage GET http://reviews/reviews/7 -H 'End-User: jason'
//
// # lint
//
//	meshrules lint [-json] FILE|DIR...
//
// writes a line for each fault, in the order of files and lines, as
//
//	file:line: Kind namespace/name: field: what, and the bound [severity]
//
// The severity is invalid (Istio rejects it too), refused (Istio accepts it,
// inmesh does not enforce it, and to ignore it would do harm) or warning (the
// rule is in force all the same). With -json it writes one object, with the
// verdict on all and the faults. A directory stands for its files *.yaml, *.yml
// and *.json, and those below.
//
// # explain
//
//	meshrules explain -f FILE|DIR [-json] [-from KEY=VALUE,...] [-n NAMESPACE] METHOD URL [-H 'Name: value']...
//
// says, without sending anything, which rule has the host, which of its routes
// takes the request and why the others do not, where the request may go, and by
// which policy. -from are the labels of the caller, -n is its namespace. Nothing
// is discovered: endpoints are those that ServiceEntries write or that DNS has
// for them.
//
// # Exit codes
//
//  0. The rules are valid, perhaps with warnings.
//  1. A rule is invalid.
//  2. The command is wrong, or a file cannot be read.
//  3. The rules are valid, and one is refused.
package main
