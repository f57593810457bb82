package authz

import (
	"slices"
	"strconv"
)

// text is a condition on an attribute that is a string: the method, the server
// name.
type text struct {
	of   func(*Request) string
	want patterns
}

func (c text) holds(r *Request) bool { return c.want.match(c.of(r)) }

// portIn is a condition on this end's port.
type portIn []uint16

func (want portIn) holds(r *Request) bool { return slices.Contains(want, r.Port) }

func compilePorts(l list) condition {
	var out portIn
	for i, v := range l.values {
		port, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			l.refuse(i, "want a port, 0 to 65535")
		}
		out = append(out, uint16(port))
	}
	return out
}
