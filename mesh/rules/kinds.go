package rules

import (
	"encoding/json"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

// A kind is one kind of rule that is in force: how its spec is read and checked.
type kind struct {
	spec   protoreflect.MessageDescriptor
	quoted bool // numbers may be quoted, as Istio's decoder has it
	build  func(c *checker, spec []byte) (member, error)
}

// kinds are the rules in force, by group and kind. Nobody writes to it.
var kinds = map[string]kind{
	"networking.istio.io/VirtualService":         kindOf(func() *networking.VirtualService { return new(networking.VirtualService) }, validateVirtualService),
	"networking.istio.io/DestinationRule":        kindOf(func() *networking.DestinationRule { return new(networking.DestinationRule) }, validateDestinationRule),
	"networking.istio.io/ServiceEntry":           kindOf(func() *networking.ServiceEntry { return new(networking.ServiceEntry) }, validateServiceEntry),
	"networking.istio.io/WorkloadEntry":          kindOf(func() *networking.WorkloadEntry { return new(networking.WorkloadEntry) }, validateWorkloadEntry),
	"security.istio.io/AuthorizationPolicy":      kindOf(func() *security.AuthorizationPolicy { return new(security.AuthorizationPolicy) }, validateAuthorizationPolicy),
	"security.istio.io/PeerAuthentication":       kindOf(func() *security.PeerAuthentication { return new(security.PeerAuthentication) }, validatePeerAuthentication),
	"security.istio.io/RequestAuthentication":    kindOf(func() *security.RequestAuthentication { return new(security.RequestAuthentication) }, validateRequestAuthentication),
	"telemetry.istio.io/Telemetry":               kindOf(func() *telemetry.Telemetry { return new(telemetry.Telemetry) }, validateTelemetry),
	"policy.linkerd.io/HTTPLocalRateLimitPolicy": plainKind[RateLimit](validateRateLimit),
}

// A spec is one of Istio's own API types. Its UnmarshalJSON accepts what Istio
// accepts; protojson refuses 100ms.
type spec interface {
	proto.Message
	json.Unmarshaler
}

func kindOf[S spec](fresh func() S, validate func(*checker, S)) kind {
	decode := func(data []byte) (S, error) {
		s := fresh()
		return s, s.UnmarshalJSON(data)
	}
	return kind{fresh().ProtoReflect().Descriptor(), true, builder(decode, validate)}
}

// plainKind is a kind whose spec is a struct of this package.
func plainKind[S any](validate func(*checker, *S)) kind {
	decode := func(data []byte) (*S, error) {
		s := new(S)
		return s, json.Unmarshal(data, s)
	}
	return kind{schemaOf(reflect.TypeFor[S]()), false, builder(decode, validate)}
}

func builder[S any](decode func([]byte) (S, error), validate func(*checker, S)) func(*checker, []byte) (member, error) {
	return func(c *checker, data []byte) (member, error) {
		spec, err := decode(data)
		if err != nil {
			return nil, err
		}
		validateMeta(c)
		validate(c, spec)
		return &Object[S]{Meta: c.meta, Spec: spec, lines: c.lines}, nil
	}
}
