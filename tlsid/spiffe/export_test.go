package spiffe

import (
	"context"
	"iter"

	"github.com/inmesh-go/inmesh/tlsid"
)

// Relayed yields what a Watch yields whose agent sends these credentials.
func Relayed(ctx context.Context, sent <-chan tlsid.Credential) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		stream := make(chan news)
		go func() {
			for c := range sent {
				stream <- news{credential: c}
			}
		}()
		r := relay{yield: yield}
		r.run(ctx, stream)
	}
}
