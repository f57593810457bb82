package rules

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	networking "istio.io/api/networking/v1alpha3"
)

// A kind is one kind of rule that is in force: how its spec is read and checked.
type kind struct {
	spec  protoreflect.MessageDescriptor
	build func(c *checker, spec []byte) (member, error)
}

// kinds are the rules in force, by kind. Nobody writes to it.
var kinds = map[string]kind{
	"VirtualService":  kindOf(func() *networking.VirtualService { return new(networking.VirtualService) }, validateVirtualService),
	"DestinationRule": kindOf(func() *networking.DestinationRule { return new(networking.DestinationRule) }, validateDestinationRule),
	"ServiceEntry":    kindOf(func() *networking.ServiceEntry { return new(networking.ServiceEntry) }, validateServiceEntry),
	"WorkloadEntry":   kindOf(func() *networking.WorkloadEntry { return new(networking.WorkloadEntry) }, validateWorkloadEntry),
}

// A spec is one of Istio's own API types. Its UnmarshalJSON accepts what Istio
// accepts; protojson refuses 100ms.
type spec interface {
	proto.Message
	json.Unmarshaler
}

func kindOf[S spec](fresh func() S, validate func(*checker, S)) kind {
	return kind{
		spec: fresh().ProtoReflect().Descriptor(),
		build: func(c *checker, data []byte) (member, error) {
			spec := fresh()
			if err := spec.UnmarshalJSON(data); err != nil {
				return nil, err
			}
			validateMeta(c)
			validate(c, spec)
			return &Object[S]{Meta: c.meta, Spec: spec, lines: c.lines}, nil
		},
	}
}
