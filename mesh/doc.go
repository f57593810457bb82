// Package mesh is the front door: a service mesh inside the process.
//
//	m, err := mesh.New(ctx, mesh.Config{Rules: rules.Dir("rules"), Discovery: source})
//	if err != nil {
//		return err // every fault of the rules: file:line, object, field, value, bound
//	}
//	defer m.Close()
//	client := &http.Client{Transport: m.Transport(nil)}
//
//	lis, err := m.Listen("tcp", ":9080")
//	err = http.Serve(lis, m.Handler(mux))
//
// What is neither HTTP nor gRPC has its connections made and taken by the mesh:
//
//	conn, err := m.DialContext(ctx, "tcp", "redis:6379")
//	lis, err := m.ListenTCP("tcp", ":6379")
//
// Requests through the Transport obey the rules. What the mesh itself refuses is
// an *Error; an answer from upstream is returned as it came.
//
// What holds where no rule says otherwise:
//
//  1. Hosts that no rule and no source knows pass through unchanged.
//  2. Without Discovery, hosts that rules name are looked up in DNS.
//  3. There is no timeout but the caller's own; a connection is made within 10 s.
//  4. Two retries, on another host, of requests that were not sent or that
//     upstream refused unseen; never of what may have been executed, unless the
//     method is idempotent. A 503 is an answer, and not retried.
//  5. The less busy of two hosts drawn at random is next.
//  6. No limits, and no host is ejected.
//  7. Request bodies without GetBody are kept for a retry up to 64 KiB.
//  8. 128 mirrored requests may be under way; more are dropped, and counted.
//  9. A set of endpoints that becomes empty is kept for 30 s.
//  10. With an Identity, connections are mutual TLS to each endpoint whose
//     identity discovery or a ServiceEntry names, over HTTP/1.1; else plaintext.
//  11. A port takes mutual TLS and plaintext, and everybody may call.
//  12. Metrics and traces go to OpenTelemetry's global providers; requests to hosts
//     that are not the mesh's are counted, and have no spans; there is no access log.
//  13. A raw connection is tried once, and ended when nothing has passed for an hour.
//     A PERMISSIVE port of ListenTCP takes who is silent for a second for plaintext.
//
// Rules are read anew within a second of a change; bad ones change nothing.
//
// Concurrency: a Mesh, its Transports and Handlers are safe for concurrent use.
// Hooks of an Observer may be called many at once.
//
// Limits: breakers, ejections and budgets are those of one process. Connections
// are governed if they are the mesh's own (Transport of nil or of an
// *http.Transport). Policies hold for requests that pass Handler, and for
// connections of ListenTCP; what else reads from a listener of Listen is held to its
// PeerAuthentication alone. Policies about a raw connection are asked once: it
// outlives their change, and that of its peer's certificate. tls routes of
// VirtualServices are not enforced. maxConcurrentStreams opens a further connection
// where net/http would wait. Requests with Upgrade and CONNECT are sent once and not mirrored,
// and no timeout of a rule ends what they carry once they are answered.
// Rules find a header as http.Header.Get does: one that a caller has put into the map
// under another spelling, as in r.Header["x-user"], is sent as it stands and seen by none.
package mesh
