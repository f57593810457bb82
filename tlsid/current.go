package tlsid

import "sync/atomic"

// Current is the credential in force. Whoever follows a Source stores each
// credential in it; TLS configurations read it at each handshake. The zero
// Current has none yet. It is safe for concurrent use, must not be copied, and
// costs a reader one atomic load.
type Current struct{ live atomic.Pointer[held] }

// Store puts c in force, from the next handshake on. The zero Credential takes
// the present one out of force.
func (c *Current) Store(credential Credential) { c.live.Store(credential.held) }

// Load returns the credential in force; false if there is none.
func (c *Current) Load() (Credential, bool) {
	h := c.live.Load()
	return Credential{h}, h != nil
}
