package main

import "github.com/inmesh-go/inmesh/tlsid"

// Who calls, and who is called.
const (
	productpage = "spiffe://cluster.local/ns/default/sa/productpage"
	reviews     = "spiffe://cluster.local/ns/default/sa/reviews"
)

// credential is one that nobody renews: it outlasts what is measured.
func credential(ca *tlsid.CA, of string) (*tlsid.Current, error) {
	id, err := tlsid.ParseID(of)
	if err != nil {
		return nil, err
	}
	issued, err := ca.Issue(id)
	if err != nil {
		return nil, err
	}
	own := new(tlsid.Current)
	own.Store(issued)
	return own, nil
}
