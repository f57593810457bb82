// Command bookinfo is the tour of inmesh: Istio's sample application as one
// program, four services on loopback ports, each with a mesh of its own.
//
//	productpage ──┬─► details
//	              └─► reviews v1, v2, v3 ──► ratings (v2 and v3 only)
//
// From the repository's root:
//
//	go run ./examples/bookinfo                          a live table, until Ctrl-C
//	go run ./examples/bookinfo -break v2                one server of reviews v2 answers 500s for a while
//	go run ./examples/bookinfo -once -n 2000 -json      2,000 pages, one JSON object
//
// # How to read it
//
// The mesh itself is four calls. In fleet/fleet.go: mesh.New makes a service's mesh
// from rules, discovery and an identity, Protect (or Listen) guards its port, and
// Transport wraps its client; in fleet/server.go Handler wraps its server. All that
// the services say to each other goes over mutual TLS.
// What the services do with that client, in fleet/services.go, is plain net/http.
// In observe.go the mesh tells what it did. All else drives traffic and counts.
//
// What is printed as "the mesh" is a page for the browser: who calls whom, which
// rules hold, what would become of a request (fleet/pages.go).
//
// # What to try while it runs
//
// The rules are files, in rules beside this one, read again when they change:
//
//  1. reviews-virtualservice.yaml: change the weights from 90 and 10 to 50 and
//     50; the share of v2 follows at once. Then name subset v3.
//  2. In the same file write "wieght" for "weight". The rules are rejected with
//     file and line, and traffic goes on by those from before.
//  3. In the same file, give one user the newest version: put a route with a
//     match before the one that is there.
//  4. details.yaml, ratings.yaml, authentication.yaml and authorization.yaml
//     suggest more.
//
// The third, in full:
//
//	http:
//	  - match:
//	      - headers:
//	          end-user:
//	            exact: jason
//	    route:
//	      - destination:
//	          host: reviews
//	          subset: v3
//	  # and here what was there before
//
// # Defaults
//
//  1. Traffic: 200 pages a second; with -once as fast as the services answer.
//  2. End: Ctrl-C; after 15 s where standard output is no terminal.
//  3. Rules: examples/bookinfo/rules or ./rules, whichever is there; else a copy
//     from within the program, in a temporary directory.
//
// # What it prints
//
// The JSON object counts pages: requests is failed plus the sum of by_version,
// which says whose reviews were on them. Retries and ejections are those of all
// meshes. mtls is the share of the requests between services that came over
// mutual TLS, denied the share that was refused of those that a service sends,
// when the pages are done, to two others that it may not call. p50_ms and p99_ms
// are how long a page took, from the reader's side.
//
// Exit codes: 0, 1 if it could not run, 2 for wrong flags.
package main
