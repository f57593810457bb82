// Package rules reads Istio's rule files, as YAML or JSON, into a validated,
// immutable [Set], or tells every fault with file and line.
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
//   - networking.istio.io (v1, v1beta1, v1alpha3): VirtualService,
//     DestinationRule, ServiceEntry, WorkloadEntry.
//   - security.istio.io (v1, v1beta1): AuthorizationPolicy, PeerAuthentication,
//     RequestAuthentication.
//   - telemetry.istio.io (v1, v1alpha1): Telemetry.
//   - policy.linkerd.io (v1alpha1): HTTPLocalRateLimitPolicy, since Istio has no
//     rate limits of its own.
//
// Specs are decoded by Istio's own types, so that all that Istio accepts is
// accepted: durations such as 1m30s, names in camelCase or snake_case, enums by
// name or number, quoted numbers. Where Istio keeps silent, this package does not:
// a Fault is Invalid for unknown fields, fields written twice, two members of a
// oneof, null in a list or map, and for words such as no, on, 010 or 1e3, which
// YAML 1.1 reads as something else, where text is wanted. An empty list means the
// same as none, as it does to Istio: an AuthorizationPolicy that allows, with
// "rules: []", allows nobody, and one with "rules: [{}]" everybody.
//
// Every other object has a fate that is told:
//
//   - Sidecar, and Linkerd's AuthorizationPolicy and ServerAuthorization: Refused,
//     since leaving them out would remove a protection.
//   - EnvoyFilter, ProxyConfig, WasmPlugin: Refused, since they need a proxy.
//   - Gateway, WorkloadGroup, and Linkerd's Server: Warning, they have no effect here.
//   - Kinds of other groups, such as Service and Deployment: Warning, ignored.
//   - Anything else of an istio.io group: Invalid.
//
// What depends on how the mesh is configured is left to it: whether a provider of
// CUSTOM is known, whether the hops before remoteIpBlocks and remote.ip can be
// trusted, whether files of certificates exist. The root namespace is taken to be
// istio-system, for warnings only.
//
// A Set is whole or not at all: one object that is Invalid or Refused keeps the
// update out, and the rules before it stand.
//
// # Defaults
//
//  1. An object without a namespace is in "default".
//  2. [Dir] and [FS] take *.yaml, *.yml and *.json, and leave out names that begin with a dot.
//  3. Changes are read when all has been quiet for 50 ms, after 500 ms at the latest.
//  4. Where the system tells of no changes, files are looked at each 0.9 s, and
//     those that have changed are read once two looks have seen the same.
//
// # Cost
//
// Reading again costs what has changed: files are compared with what they held
// before, only documents that differ are parsed, and where an object changes in
// nothing that others depend on (their hosts, subsets, delegates and targets),
// neither they nor what is between them is looked at again. An object that is
// added, removed or renamed, or means something else to others, costs one look at
// all. Looking whether files have changed costs one stat a file.
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
