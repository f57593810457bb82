// Package rules reads Istio's rule files, VirtualService, DestinationRule,
// ServiceEntry and WorkloadEntry, as YAML or JSON, into a validated, immutable
// [Set], or tells every fault with file and line.
//
//	source := rules.Dir("rules")
//	for set, err := range source.Watch(ctx) {
//		if err != nil {
//			log.Print(err) // rules/reviews.yaml:12: VirtualService default/reviews: spec.http[0].wieght: …
//			continue       // the set before still stands
//		}
//		use(set)
//	}
//
// [Parse], [ParseFiles] and [Load] read once; [Lint] tells warnings too; a
// [Parser] reads again and again, and keeps what has not changed.
//
// # What is read
//
// Specs are decoded by Istio's own types, so that all that Istio accepts is
// accepted: durations such as 1m30s, names in camelCase or snake_case, enums by
// name or number, quoted numbers. Where Istio keeps silent, this package does not:
// a Fault is Invalid for unknown fields, fields written twice, two members of a
// oneof, null in a list or map, and for words such as no, on, 010 or 1e3, which
// YAML 1.1 reads as something else, where text is wanted.
//
// Every other object has a fate that is told:
//
//   - AuthorizationPolicy, PeerAuthentication, RequestAuthentication, Sidecar:
//     Refused, since leaving them out would remove a protection.
//   - EnvoyFilter, ProxyConfig, WasmPlugin: Refused, since they need a proxy.
//   - Gateway, WorkloadGroup, Telemetry: Warning, they have no effect here.
//   - Kinds of other groups, such as Service and Deployment: Warning, ignored.
//   - Anything else of an istio.io group: Invalid.
//
// A Set is whole or not at all: one object that is Invalid or Refused keeps the
// update out, and the rules before it stand.
//
// # Defaults
//
//  1. An object without a namespace is in "default".
//  2. [Dir] and [FS] take *.yaml, *.yml and *.json, and leave out names that begin with a dot.
//  3. Changes are read when all has been quiet for 50 ms, after 500 ms at the latest.
//  4. Where the system tells of no changes, files are looked at once a second.
//
// # Limits
//
//  1. A file holds at most 10 MiB, the files of a source 256 MiB.
//  2. A document holds at most 1,000,000 values, 100 levels deep, and grows to
//     at most 80 MiB through its aliases.
//  3. At most 100 faults are told of an object, and 1,000 of a file; one that is
//     worse than all before it is always told.
//  4. A field that is at fault in its form (a wrong type, an unknown name) is left
//     out, and the rest of the object examined. What may be wrong for want of that
//     field alone is told once its form is right.
//  5. Half a file is a valid file at times. Who writes rules under a [Dir] writes
//     another file and renames it, as editors and ConfigMaps do.
//
// # Concurrency
//
// Sets, their objects and Faults are values that nobody changes. Sources may be
// watched by several goroutines; each Watch is an iteration of its own, with its
// own objects. A [Parser] is for one goroutine at a time.
package rules
