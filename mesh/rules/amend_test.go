package rules_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A shelf is some files of rules that are edited at random.
type shelf struct {
	*rand.Rand
	files [3][]string // of documents
}

func (s *shelf) pick(words ...string) string { return words[s.IntN(len(words))] }

// document is one of few objects, in one of few versions, so that they often
// share a name, a host or a subset. Few are invalid.
func (s *shelf) document() string {
	name, ns := s.pick("a", "b", "c", "d", "e", "f", "g", "h"), s.pick("ns", "ns", "ns", "other")
	spec := s.pick(
		"VirtualService {hosts: ["+s.pick("a", "b", "a.com")+"], http: [{timeout: "+s.pick("1s", "2s")+", route: [{destination: {host: a, subset: "+s.pick("v1", "v2")+"}}]}]}",
		"VirtualService {hosts: [a], exportTo: ["+s.pick(".", "other")+"], gateways: ["+s.pick("mesh", "g")+"], http: [{delegate: {name: "+s.pick("a", "b", "c")+"}}]}",
		"VirtualService {http: [{route: [{destination: {host: b, subset: v1}}], mirror: {host: a, subset: v3}}]}",
		"DestinationRule {host: "+s.pick("a", "b", `"*.com"`)+", subsets: [{name: "+s.pick("v1", "v2")+"}]}",
		"DestinationRule {host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: "+s.pick("1", "2")+"}}}}",
		"DestinationRule {host: a, exportTo: ["+s.pick(".", "other")+"], trafficPolicy: {outlierDetection: {consecutiveErrors: 1}}, subsets: [{name: v3}]}",
		"WorkloadEntry {address: 10.0.0.1, network: "+s.pick("x", "z")+"}",
		"PeerAuthentication {mtls: {mode: "+s.pick("STRICT", "DISABLE")+"}}",
		"PeerAuthentication {selector: {matchLabels: {app: "+s.pick("a", "b")+"}}}",
		"AuthorizationPolicy {rules: [{to: [{operation: {ports: ["+s.pick(`"1"`, `"2"`, `"3"`, `"4"`, `http`)+"]}}]}]}",
		"HTTPLocalRateLimitPolicy {targetRef: {group: policy.linkerd.io, kind: Server, name: "+s.pick("s", "t")+"}, total: {requestsPerSecond: 1}}",
		"Telemetry {metrics: [{reportingInterval: "+s.pick("1s", "2s")+"}]}",
		"Telemetry {selector: {matchLabels: {app: "+s.pick("a", "b")+"}}}",
		"ConfigMap {}",
	)
	kind, spec, _ := strings.Cut(spec, " ")
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s%s}\n%sspec: %s\n",
		groups[kind], kind, name, ns, s.pick("", "", "", ", creationTimestamp: 2024-01-01T00:00:00Z"), s.pick("", "", "# comment\n"), spec)
}

var groups = map[string]string{
	"VirtualService": "networking.istio.io/v1", "DestinationRule": "networking.istio.io/v1",
	"ServiceEntry": "networking.istio.io/v1", "WorkloadEntry": "networking.istio.io/v1",
	"PeerAuthentication": "security.istio.io/v1", "AuthorizationPolicy": "security.istio.io/v1", "RequestAuthentication": "security.istio.io/v1",
	"Telemetry":                "telemetry.istio.io/v1",
	"HTTPLocalRateLimitPolicy": "policy.linkerd.io/v1alpha1", "ConfigMap": "v1",
}

// edit adds, drops, moves or changes a document.
func (s *shelf) edit() {
	f := &s.files[s.IntN(len(s.files))]
	at := s.IntN(len(*f) + 1)
	switch {
	case at == len(*f) || s.IntN(8) == 0:
		*f = append((*f)[:at:at], append([]string{s.document()}, (*f)[at:]...)...)
	case len(*f) > 6 || s.IntN(8) == 0:
		*f = append((*f)[:at:at], (*f)[at+1:]...)
	case s.IntN(6) == 0:
		(*f)[0], (*f)[at] = (*f)[at], (*f)[0]
	default:
		(*f)[at] = s.another((*f)[at])
	}
}

// another is another version of the same object, if luck has it.
func (s *shelf) another(document string) string {
	same := func(d string) string { return strings.Join(strings.SplitN(d, "\n", 4)[:3], "\n") }
	for range 100 {
		if d := s.document(); same(d) == same(document) {
			return d
		}
	}
	return s.pick("# above\n", "\n\n", "") + document
}

func (s *shelf) texts() []rules.Text {
	var texts []rules.Text
	for i, f := range s.files {
		separator := s.pick("---\n", "---\n", "--- # x\n", "...\n---\n")
		texts = append(texts, rules.Text{Name: fmt.Sprintf("%c.yaml", "bca"[i]), Data: []byte(strings.Join(f, separator))})
	}
	return texts
}

// A Parser that has read other versions of the files finds in the next one what a
// new Parser finds.
func TestRereadingIsReading(t *testing.T) {
	valid := 0
	for seed := range uint64(15) {
		s := &shelf{Rand: rand.New(rand.NewPCG(seed, 0))}
		var p rules.Parser
		for step := range 100 {
			s.edit()
			texts := s.texts()
			got, gotErr := p.Parse(texts...)
			want, wantErr := new(rules.Parser).Parse(texts...)
			if !reflect.DeepEqual(gotErr, wantErr) {
				t.Fatalf("seed %d, step %d: error\n%v\nwant\n%v", seed, step, gotErr, wantErr)
			}
			if wantErr != nil {
				s.edit()
				continue
			}
			valid++
			if diff := compareSets(got, want); diff != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, diff)
			}
		}
	}
	if valid < 200 {
		t.Errorf("%d of the sets were valid: too few to tell", valid)
	}
}

// In each case the second object gets another version, which changes what is said
// of the first or of itself.
func TestRereadingSeesWhatVersionsSayOfOthers(t *testing.T) {
	const route = "http: [{route: [{destination: {host: a, subset: v1}}]}]"
	for _, c := range []struct{ other, before, after string }{
		{"vs ns/a {hosts: [a], " + route + "}", "vs ns/b {hosts: [a], " + route + "}", "vs ns/b {hosts: [b], " + route + "}"},
		{"vs ns/a {hosts: [a.com], exportTo: [.], " + route + "}", "vs other/b {hosts: [a.com], exportTo: [.], " + route + "}", "vs other/b {hosts: [a.com], exportTo: [ns], " + route + "}"},
		{"vs ns/a {hosts: [a], " + route + "}", "vs ns/b {hosts: [a], gateways: [mesh], " + route + "}", "vs ns/b {hosts: [a], gateways: [g], " + route + "}"},
		{"vs ns/a {" + route + "}", "vs ns/b {hosts: [b], http: [{delegate: {name: a}}]}", "vs ns/b {hosts: [b], http: [{delegate: {name: c}}]}"},
		{"vs ns/a {" + route + "}", "vs ns/b {hosts: [b], http: [{delegate: {name: a}}]}", "vs ns/b {hosts: [b], http: [{delegate: {name: a, namespace: other}}]}"},
		{"vs ns/a {" + route + "}", "vs ns/b {hosts: [b], http: [{delegate: {name: a}}]}", "vs ns/b {hosts: [b], " + route + "}"},
		{"dr ns/a {host: a, subsets: [{name: v1}]}", "vs ns/b {hosts: [b], " + route + "}", "vs ns/b {hosts: [b], " + strings.Replace(route, "v1", "v2", 1) + "}"},
		{"dr ns/a {host: a, subsets: [{name: v1}]}", "vs ns/b {hosts: [b], " + route + "}", "vs ns/b {hosts: [b], " + strings.Replace(route, "host: a", "host: c", 1) + "}"},
		{"vs ns/a {hosts: [a], " + route + "}", "dr ns/b {host: a, subsets: [{name: v1}]}", "dr ns/b {host: a, subsets: [{name: v2}]}"},
		{"vs ns/a {hosts: [a], " + route + "}", "dr ns/b {host: a, subsets: [{name: v1}]}", "dr ns/b {host: b, subsets: [{name: v1}]}"},
		{"dr ns/a {host: a, trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a, trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a}"},
		{"dr ns/a {host: a, trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [.], trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a, trafficPolicy: {retryBudget: {}}}"},
		{"dr ns/a {host: a, trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a, trafficPolicy: {retryBudget: {}}}", "dr ns/b {host: a, exportTo: [x], trafficPolicy: {retryBudget: {}}}"},
		{"se ns/a {hosts: [a.com]}", "se other/b {hosts: [a.com]}", "se other/b {hosts: [b.com]}"},
		{"se ns/a {hosts: [a.com], exportTo: [.]}", "se other/b {hosts: [a.com], exportTo: [.]}", "se other/b {hosts: [a.com], exportTo: [ns]}"},
		{"se ns/a {hosts: [a.com]}", "se ns/b {hosts: [a.com]}", "se ns/b {hosts: [a.com], location: MESH_INTERNAL}"},
		{"se ns/a {hosts: [a.com]}", "se ns/b {hosts: [a.com]}", "se ns/b {hosts: [a.com], ports: [{number: 80, name: http}]}"},
		{"pa ns/a {}", "pa ns/b {}", "pa ns/b {selector: {matchLabels: {a: b}}}"},
		{"rl ns/a {targetRef: {group: policy.linkerd.io, kind: HTTPRoute, name: s}, total: {requestsPerSecond: 1}}", "vs ns/b {hosts: [b], http: [{name: s, route: [{destination: {host: b}}]}]}", "vs ns/b {hosts: [b], http: [{name: t, route: [{destination: {host: b}}]}]}"},
		{"rl ns/a {targetRef: {group: policy.linkerd.io, kind: Server, name: s}, total: {requestsPerSecond: 1}}", "rl ns/b {targetRef: {group: policy.linkerd.io, kind: Server, name: s}, total: {requestsPerSecond: 1}}", "rl ns/b {targetRef: {group: policy.linkerd.io, kind: Server, name: z}, total: {requestsPerSecond: 1}}"},
	} {
		rereads(t, several(c.other+"; "+c.before), several(c.other+"; "+c.after))
		rereads(t, several(c.other+"; "+c.after), several(c.other+"; "+c.before))
	}
	pair := several("vs ns/a {hosts: [a], " + route + "}; vs ns/b {hosts: [a], " + route + "}")
	rereads(t, pair, strings.Replace(pair, "name: a", "creationTimestamp: 2024-01-01T00:00:00Z, name: a", 1))
}

// rereads compares what a Parser finds in two texts that differ in their warnings
// with what new Parsers find.
func rereads(t *testing.T, before, after string) {
	t.Helper()
	var p rules.Parser
	var told [2]rules.Faults
	for i, text := range []string{before, after} {
		file := rules.Text{Name: "a.yaml", Data: []byte(text)}
		got, err := p.Parse(file)
		want, _ := new(rules.Parser).Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := compareSets(got, want); diff != "" {
			t.Errorf("%s\nafter\n%s\n%s", after, before, diff)
		}
		told[i] = want.Warnings
	}
	if slices.Equal(told[0], told[1]) {
		t.Errorf("%s\nafter\n%s\nsays the same: the case tests nothing", after, before)
	}
}

func compareSets(got, want *rules.Set) string {
	if got.Version != want.Version {
		return "version " + got.Version + ", want " + want.Version
	}
	if !slices.Equal(got.Warnings, want.Warnings) {
		return fmt.Sprintf("warnings\n%v\nwant\n%v", got.Warnings, want.Warnings)
	}
	return compareObjects(got.ServiceEntries, want.ServiceEntries) + compareObjects(got.Telemetries, want.Telemetries) +
		compareObjects(got.RequestAuthentications, want.RequestAuthentications) + compareObjects(got.VirtualServices, want.VirtualServices) + compareObjects(got.DestinationRules, want.DestinationRules) +
		compareObjects(got.WorkloadEntries, want.WorkloadEntries) + compareObjects(got.PeerAuthentications, want.PeerAuthentications) +
		compareObjects(got.AuthorizationPolicies, want.AuthorizationPolicies) + compareObjects(got.RateLimitPolicies, want.RateLimitPolicies)
}

func compareObjects[S any](got, want []*rules.Object[S]) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d objects, want %d", len(got), len(want))
	}
	for i, o := range got {
		same := reflect.DeepEqual(o.Spec, want[i].Spec)
		if m, ok := any(o.Spec).(proto.Message); ok {
			same = proto.Equal(m, any(want[i].Spec).(proto.Message))
		}
		if !same || !reflect.DeepEqual(o.Meta, want[i].Meta) || o.LineOf("spec") != want[i].LineOf("spec") {
			return fmt.Sprintf("%v %v\nwant %v %v\n", o.Meta, o.Spec, want[i].Meta, want[i].Spec)
		}
	}
	return ""
}
