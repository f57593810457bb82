// Package tlsid says who a workload is and who its peers are: SPIFFE IDs,
// credentials and their sources, and mutual TLS between two workloads.
//
//	ca, err := tlsid.NewCA(tlsid.CAConfig{})
//	var own tlsid.Current
//	for credential, err := range ca.Workload("productpage").Watch(ctx) {
//		own.Store(credential) // if err is nil; else the last one stands
//	}
//	config := tlsid.ClientConfig(&own, tlsid.Expect{}) // for crypto/tls
//
// Sources are a CA that the process embeds (NewCA), PEM files that somebody else
// renews (Files), the SPIFFE Workload API (package tlsid/spiffe), or whatever
// implements Source.
//
// # Who is trusted
//
// A peer must present an X509-SVID: exactly one URI name, which is a SPIFFE ID
// with a path; no CA; not allowed to sign certificates or revocation lists; with
// digitalSignature where it has key usages, and with serverAuth (of a server)
// or clientAuth (of a client) where it has extended key usages. The roots of its
// own trust domain must vouch for it, no other's, at this moment; there is no
// leeway for clocks that differ. Then it must be one of the expected IDs. DNS
// names and the subject mean nothing.
//
// All that is in VerifyConnection, so it holds for resumed sessions too, by the
// roots that are in force then. A handshake reads the credential in force once
// for its certificate and once to verify; nothing that is in use is changed.
// Open connections are not looked at again: call the VerifyConnection of their
// configuration with their state when roots change.
//
// # Defaults
//
//  1. TLS 1.3; TLS 1.2 if asked for, nothing lower.
//  2. No ALPN, unless NextProtos says so.
//  3. Clients do not resume sessions, unless Sessions says so; servers let them.
//     A session is resumed under the root set that it was made under only, and
//     not if its certificate expires in the next ten seconds.
//  4. A CA is in memory, of trust domain cluster.local. Its leaves live one hour
//     and are renewed at half of it, a fifth more or less; they are dated back
//     two minutes. Keys are ECDSA P-256.
//  5. A CA's root lives ten years and is replaced when a fifth of that is left. A
//     new root is trusted ten seconds before it signs, an old one until its last
//     leaf has expired.
//  6. Files and a CA's directory are read once a second.
//
// # Concurrency
//
// Everything is safe for concurrent use. IDs, Bundles and Credentials do not
// change. Nothing here starts a goroutine: a Source works in the loop that
// ranges over its Watch.
//
// # Limits
//
// A CA serves the processes of one machine and one user, who all know its roots'
// keys; its directory must be on a file system that has hard links and modes.
// There are no revocation lists: credentials live short. Bundles of other trust
// domains are PEM files, not SPIFFE bundle documents.
package tlsid
