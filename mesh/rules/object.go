package rules

import (
	"iter"
	"time"

	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

// Meta is what every object carries besides its spec.
type Meta struct {
	Kind, APIVersion string
	Name             string
	Namespace        string // "default" where the file names none
	Labels           map[string]string
	Annotations      map[string]string
	Created          time.Time // zero where the file has no creationTimestamp
	File             string
	Line             int // of the object's first line
}

// An Object is one validated rule. Nobody changes it or its Spec: objects are
// shared by the Sets of one Watch or Parser as long as their document does not
// change. An equal pointer means an unchanged rule in its place; an equal Spec
// pointer means one that may only have moved to another line or file.
type Object[S any] struct {
	Meta
	Spec  S
	lines map[string]int // field path → lines below Line, for faults that are found later
}

// LineOf returns the line of the field at path (spec.http[0].timeout), or of the
// nearest parent that is written.
func (o *Object[S]) LineOf(path string) int { return lineOf(o.lines, path, o.Line) }

// The kinds in force, as Istio's own API types; the last is Linkerd's.
type (
	VirtualService        = Object[*networking.VirtualService]
	DestinationRule       = Object[*networking.DestinationRule]
	ServiceEntry          = Object[*networking.ServiceEntry]
	WorkloadEntry         = Object[*networking.WorkloadEntry]
	AuthorizationPolicy   = Object[*security.AuthorizationPolicy]
	PeerAuthentication    = Object[*security.PeerAuthentication]
	RequestAuthentication = Object[*security.RequestAuthentication]
	Telemetry             = Object[*telemetry.Telemetry]
	RateLimitPolicy       = Object[*RateLimit]
)

// A Set is a consistent collection of validated rules. It is immutable. Within
// a kind, objects stand in Istio's order: creation time, then name, then
// namespace.
type Set struct {
	VirtualServices  []*VirtualService
	DestinationRules []*DestinationRule
	ServiceEntries   []*ServiceEntry
	WorkloadEntries  []*WorkloadEntry

	AuthorizationPolicies  []*AuthorizationPolicy
	PeerAuthentications    []*PeerAuthentication
	RequestAuthentications []*RequestAuthentication
	RateLimitPolicies      []*RateLimitPolicy

	Telemetries []*Telemetry

	// Warnings are the faults that do not keep the set from being used.
	Warnings Faults
	// Version changes with the content: a hash of all files.
	Version string
}

// Len is how many objects the set has.
func (s *Set) Len() int {
	return len(s.VirtualServices) + len(s.DestinationRules) + len(s.ServiceEntries) + len(s.WorkloadEntries) +
		len(s.AuthorizationPolicies) + len(s.PeerAuthentications) + len(s.RequestAuthentications) + len(s.RateLimitPolicies) +
		len(s.Telemetries)
}

// All yields every object: its Meta, and its Spec, which is a message of Istio's
// API or a *RateLimit. Kind by kind, in the set's order.
func (s *Set) All() iter.Seq2[*Meta, any] {
	return func(yield func(*Meta, any) bool) {
		_ = each(s.VirtualServices, yield) && each(s.DestinationRules, yield) &&
			each(s.ServiceEntries, yield) && each(s.WorkloadEntries, yield) &&
			each(s.AuthorizationPolicies, yield) && each(s.PeerAuthentications, yield) &&
			each(s.RequestAuthentications, yield) && each(s.RateLimitPolicies, yield) &&
			each(s.Telemetries, yield)
	}
}

func each[S any](objects []*Object[S], yield func(*Meta, any) bool) bool {
	for _, o := range objects {
		if !yield(&o.Meta, o.Spec) {
			return false
		}
	}
	return true
}

// A member is an Object of whatever kind.
type member interface {
	meta() *Meta
	LineOf(path string) int
	// claimsAs says that other, of the same kind, means the same to other objects.
	claimsAs(other member) bool
	// at is the same object in another place: a copy that shares the Spec.
	at(file string, line int) member
}

func (o *Object[S]) meta() *Meta { return &o.Meta }

func (o *Object[S]) at(file string, line int) member {
	moved := *o
	moved.File, moved.Line = file, line
	return &moved
}

func (s *Set) add(m member) {
	switch o := m.(type) {
	case *VirtualService:
		s.VirtualServices = append(s.VirtualServices, o)
	case *DestinationRule:
		s.DestinationRules = append(s.DestinationRules, o)
	case *ServiceEntry:
		s.ServiceEntries = append(s.ServiceEntries, o)
	case *WorkloadEntry:
		s.WorkloadEntries = append(s.WorkloadEntries, o)
	case *AuthorizationPolicy:
		s.AuthorizationPolicies = append(s.AuthorizationPolicies, o)
	case *PeerAuthentication:
		s.PeerAuthentications = append(s.PeerAuthentications, o)
	case *RequestAuthentication:
		s.RequestAuthentications = append(s.RequestAuthentications, o)
	case *Telemetry:
		s.Telemetries = append(s.Telemetries, o)
	case *RateLimitPolicy:
		s.RateLimitPolicies = append(s.RateLimitPolicies, o)
	}
}
