package rules_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

var kinds = map[string]proto.Message{
	"VirtualService":  &networking.VirtualService{},
	"DestinationRule": &networking.DestinationRule{},
	"ServiceEntry":    &networking.ServiceEntry{},
	"WorkloadEntry":   &networking.WorkloadEntry{},

	"AuthorizationPolicy":   &security.AuthorizationPolicy{},
	"PeerAuthentication":    &security.PeerAuthentication{},
	"RequestAuthentication": &security.RequestAuthentication{},

	"Telemetry": &telemetry.Telemetry{},
}

// Every field of every kind is given values of every sort. Whatever Istio's
// decoder rejects must have been told before, with its line.
func TestForeseesWhatTheDecoderRejects(t *testing.T) {
	values := []string{"~", "true", "yes", "1", "-1", "1.5", "1e3", "010", "1e999", "99999999999999999999",
		`x`, `"1"`, `"01"`, `" 1"`, `"+1"`, `"0x1"`, `"1e3"`, `"null"`, `"NaN"`, `"true"`, `""`, ".inf",
		"1s", "-1h", "1us", "10000000000h", "2024-01-01T00:00:00Z", "aGVsbG8=",
		"[]", "{}", "[~]", "[1]", "[x]", "[[]]", "[{}]", "{a: ~}", "{a: 1}", "{a: x}", "{a: []}", "{a: {}}"}
	for kind, spec := range kinds {
		fields := 0
		eachField(spec.ProtoReflect().Descriptor(), "{", "}", 0, func(open, end string) {
			fields++
			for _, v := range values {
				foresees(t, kind, open+v+end)
			}
		})
		if fields < 5 {
			t.Errorf("%s has %d fields", kind, fields)
		}
	}
}

// eachField calls f with the flow YAML around each field of md.
func eachField(md protoreflect.MessageDescriptor, open, end string, depth int, f func(open, end string)) {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		open, end := open+string(fd.Name())+": ", end
		f(open, end)
		switch {
		case fd.IsMap():
			open, end, fd = open+"{'1': ", "}"+end, fd.MapValue()
		case fd.IsList():
			open, end = open+"[", "]"+end
		}
		m := fd.Message()
		if m != nil && depth < 5 && !strings.HasPrefix(string(m.FullName()), "google.") {
			eachField(m, open+"{", "}"+end, depth+1, f)
		}
	}
}

func foresees(t *testing.T, kind, spec string) {
	t.Helper()
	_, err := rules.Parse("a.yaml", []byte("apiVersion: "+groups[kind]+"\nkind: "+kind+"\nmetadata: {name: a}\nspec: "+spec+"\n"))
	if err != nil && strings.Contains(err.Error(), "its decoder rejects it") {
		t.Errorf("%s: %v", spec, err)
	}
}
