// Package clienttls makes the TLS configuration of one connection to an
// endpoint, as the tls block of a DestinationRule says: by files, or by the
// workload's own identity.
//
//	files := clienttls.NewFiles(clienttls.FilesConfig{CA: "/etc/certs/ca.pem"})
//	config, err := files.Config("reviews", "h2", "http/1.1") // SIMPLE and MUTUAL
//	config, err = clienttls.ByIdentity(&own, expect)         // ISTIO_MUTUAL
//	connection := tls.Client(c, config)
//
// All verification is in VerifyConnection.
//
// # What a server must prove by files
//
//  1. Its chain ends in a certificate of CA, which need not be a root of its own;
//     without CA in one of the system's roots. It is in time and good for servers.
//  2. It has one of the SANs, word for word (a certificate for *.example.com has
//     a.example.com). Without SANs, it has the name SNI; without SNI, the name that
//     was asked for. Istio asks for no name where SNI alone is written; here it is
//     verified.
//  3. With CRL: no certificate of the chain is revoked, each certificate's issuer
//     has a list there that is in force, and signed by it. As in Envoy, a list that
//     has expired, or that is missing for one issuer of the chain, refuses all.
//
// TLS 1.2 is the lowest version by files, TLS 1.3 by identity.
//
// # Files
//
// Files are looked at when a connection is made, and read again if they have
// changed. What cannot be used, a key that is not of its certificate above all,
// changes nothing: what was good last stands, and FilesConfig.Report hears of it
// once. If nothing was good yet, Config fails. Errors name files, and never show
// what is in a key. A connection that stands is not looked at again.
//
// # Concurrency
//
// Everything is safe for concurrent use. Nothing here starts a goroutine.
package clienttls
