package sniff

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// A Mode says what a port takes. Values that have no name here mean Strict.
type Mode uint8

const (
	// Strict takes TLS alone: every connection is handed to it, and plaintext
	// fails as a bad handshake.
	Strict Mode = iota
	// Permissive takes both.
	Permissive
	// Disable takes plaintext alone: every connection is taken for it, and a TLS
	// handshake fails as bad HTTP.
	Disable
)

// A Config says how a Listener tells connections apart.
type Config struct {
	// TLS is the server's side of TLS connections. It is required. HTTP/2 needs
	// "h2" among its NextProtos. Its GetConfigForClient is the place for what
	// changes.
	TLS *tls.Config
	// Mode is asked for each connection, so that a change holds from the next
	// one on. Nil: Strict.
	Mode func() Mode
	// Timeout is how long a client may take for its first byte. Zero: 15 s.
	Timeout time.Duration
	// ServerFirst says that clients may be silent because the server is to speak
	// first: in Permissive mode, who has not begun with TLS within Timeout is taken
	// for plaintext, rather than closed.
	ServerFirst bool
	// MaxPending is how many connections may be waited for at once. Zero: 4096.
	MaxPending int
}

const (
	defaultTimeout    = 15 * time.Second
	defaultMaxPending = 4096
)

func (c Config) withDefaults() Config {
	if c.Mode == nil {
		c.Mode = func() Mode { return Strict }
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxPending == 0 {
		c.MaxPending = defaultMaxPending
	}
	return c
}

// validate names every field that is out of bounds.
func (c Config) validate() error {
	var faults []error
	if c.TLS == nil {
		faults = append(faults, errors.New("sniff: TLS: nil, want the server's configuration"))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("sniff: Timeout: %v is below 0", c.Timeout))
	}
	if c.MaxPending < 0 {
		faults = append(faults, fmt.Errorf("sniff: MaxPending: %d is below 0", c.MaxPending))
	}
	return errors.Join(faults...)
}
