// Command meshrules checks rule files, says what they mean without a mesh that
// runs, and pushes them to meshes that go by the rules in Consul.
//
//	meshrules lint rules/
//	meshrules explain -f rules/ -from app=productpage GET http://reviews/reviews/7 -H 'End-User: jason'
//	meshrules diff rules/
//	meshrules apply rules/
//	meshrules status
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
// for them. A URL tcp://HOST:PORT stands for a raw connection; the method does not
// matter then.
//
// # apply, diff, delete
//
//	meshrules apply|delete [-agent ADDR] [-prefix PREFIX] [-n] FILE|DIR...
//	meshrules diff [-agent ADDR] [-prefix PREFIX] FILE|DIR...
//
// apply writes the objects in the files into Consul's KV, for all meshes whose
// source of rules is consul.Rules with the same prefix; delete removes the objects
// that the files name, and diff shows, line by line, what apply would change.
// There is a line for each object:
//
//	create|update|delete|unchanged|absent Kind namespace/name
//
// First everything is validated: the files, then what would stand in KV with them.
// What is at fault is told as lint tells it, and nothing is written. Then all is
// written and in force at once, or nothing, where somebody else has changed one of
// the objects meanwhile. With -n nothing is written.
// Objects in KV that no file names stay as they are.
//
// # status
//
//	meshrules status [-agent ADDR] [-prefix PREFIX] [-json]
//
// has a line for each process that reports: the version of the rules that it goes
// by, since when, and whether that is what stands in KV; else why it was rejected.
//
// # Consul
//
// The agent is that of -agent, HOST:PORT or a URL, else of CONSUL_HTTP_ADDR, else
// 127.0.0.1:8500; token and TLS are those of CONSUL_HTTP_TOKEN, CONSUL_CACERT and
// so on, as for Consul's own tools. The prefix is inmesh if none is named. Consul
// has 30 s to answer.
//
// # Exit codes
//
//  0. The rules are valid, perhaps with warnings.
//  1. A rule is invalid.
//  2. The command is wrong, or a file cannot be read.
//  3. The rules are valid, and one is refused.
//  4. diff: apply would change something. status: somebody does not go by what
//     stands in KV.
//  5. Consul does not answer, forbids it, or somebody else was faster.
package main
