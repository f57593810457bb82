package plan_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func FuzzCompile(f *testing.F) {
	for _, name := range []string{"testdata/everything.yaml", "testdata/oddities.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			f.Add([]byte(document))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if set, err := rules.Parse("fuzz.yaml", data); err == nil {
			exercise(t, set)
		}
	})
}

// The files hold rules that are valid; were they not, they would prove nothing.
func TestRulesWithEveryFieldCompile(t *testing.T) {
	for _, name := range []string{"testdata/everything.yaml", "testdata/oddities.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set, err := rules.Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		exercise(t, set)
	}
}

// Messages are filled at random, whatever fields they have: what the validator
// lets through must not upset the plan.
func TestWhateverRulesAreValidCompile(t *testing.T) {
	valid := 0
	const tries = 2000
	for seed := range uint64(tries) {
		if set := seeded(seed).anyRules(); set != nil {
			valid++
			exercise(t, set)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if valid < tries/10 {
		t.Errorf("of %d random sets %d were valid: too few to prove anything", tries, valid)
	}
}

// anyRules is nil if what the dice made is not valid.
func (d dice) anyRules() *rules.Set {
	var text strings.Builder
	for i := range 1 + d.IntN(3) {
		kind, spec := d.anySpec()
		d.fill(spec.ProtoReflect(), 0)
		data, err := protojson.Marshal(spec)
		if err != nil {
			return nil // text that is no UTF-8, say
		}
		write(&text, object{
			"apiVersion": "networking.istio.io/v1", "kind": kind, "spec": json.RawMessage(data),
			"metadata": object{"name": pick(d, "a", "b", "c") + string(rune('0'+i)), "namespace": pick(d, "default", "prod")},
		})
	}
	set, err := rules.Parse("random.json", []byte(text.String()))
	if err != nil {
		return nil
	}
	return set
}

// anySpec is the least that a valid rule of some kind has.
func (d dice) anySpec() (kind string, spec proto.Message) {
	host := pick(d, "reviews", "a.com", "*.com")
	switch d.IntN(4) {
	case 0:
		return "DestinationRule", &networking.DestinationRule{Host: host}
	case 1:
		return "ServiceEntry", &networking.ServiceEntry{Hosts: []string{host}, Resolution: networking.ServiceEntry_STATIC,
			Ports: []*networking.ServicePort{{Number: 80, Name: "http", Protocol: "HTTP"}}}
	default:
		to := &networking.Destination{Host: pick(d, "reviews", "a.com", "b")}
		return "VirtualService", &networking.VirtualService{Hosts: []string{host},
			Http: []*networking.HTTPRoute{{Route: []*networking.HTTPRouteDestination{{Destination: to}}}}}
	}
}

// fill sets about one field of a message that it lacks, and goes into those it has.
func (d dice) fill(m protoreflect.Message, depth int) {
	if duration, ok := m.Interface().(*durationpb.Duration); ok {
		proto.Merge(duration, durationpb.New(pick(d, 0, time.Nanosecond, time.Millisecond, time.Second, 1000*time.Hour)))
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); d.IntN(fields.Len()+1) == 0 || m.Has(fd) && d.percent(70) {
			d.set(m, fd, depth+1)
		}
	}
}

func (d dice) set(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) {
	switch {
	case depth > 6:
	case fd.IsMap():
		value := m.Mutable(fd).Map()
		key := protoreflect.ValueOfString(pick(d, words...)).MapKey()
		value.Set(key, d.value(fd.MapValue(), value.NewValue, depth))
	case fd.IsList():
		list := m.Mutable(fd).List()
		if list.Len() > 0 && fd.Message() != nil {
			d.fill(list.Get(0).Message(), depth)
		} else if list.Len() == 0 || d.percent(20) {
			list.Append(d.value(fd, list.NewElement, depth))
		}
	case fd.Message() != nil && m.Has(fd):
		d.fill(m.Mutable(fd).Message(), depth)
	case !m.Has(fd):
		m.Set(fd, d.value(fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
	}
}

func (d dice) value(fd protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		v := empty()
		d.fill(v.Message(), depth)
		return v
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(pick(d, words...))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(pick(d, words...)))
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(d.IntN(values.Len())).Number())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(d.percent(50))
	}
	return number32(fd.Kind(), pick(d, numbers...))
}

var numbers = []float64{0, 1, 2, 3, 5, 50, 80, 100, 301, 503, 65535, 1 << 20, 1<<31 - 1, -1, 0.5, 1e300}

func number32(kind protoreflect.Kind, f float64) protoreflect.Value {
	switch kind {
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(min(f, 1<<31-1)))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(max(0, min(f, 1<<32-1))))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(max(0, min(f, 1<<62))))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(min(f, 1<<62)))
	}
	return protoreflect.ValueOfFloat64(f)
}

// words are fit for one field or another.
var words = []string{
	"", "a", "reviews", "a.com", "*.com", "*", ".", "prod", "mesh", "/", "/a", "http", "https", "GET", "HTTP", "GRPC", "x-user", ":method", "host",
	`\Qa`, ".*", "a|b", "(a)(b)?", `\1-\0`, `\9$1\`, "%REQ(x-user)%", "%%", "5xx", "503,reset", "UNAVAILABLE", "10.0.0.1", "::1", "unix:///s", "v1",
	"r/z/s", "r/*", "r", "app=a", "app", "80", "topology.istio.io/network",
}
