// Package tlsid says who a workload is and who its peers are: SPIFFE IDs,
// credentials and their sources, and mutual TLS between the two.
package tlsid
