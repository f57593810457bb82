package rules_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestLoadsTheSeedFilesAsTheyStand(t *testing.T) {
	set, err := rules.ParseFiles("testdata/reviews-virtualservice.yaml", "testdata/reviews-destinationrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	vs, dr := set.VirtualServices[0], set.DestinationRules[0]
	if got := vs.LineOf("spec.http[0].route[1].weight"); got != 19 {
		t.Errorf("line of the second weight = %d, want 19", got)
	}
	if got := vs.LineOf("spec.http[0].route[1].headers.request.set[x.y]"); got != 16 {
		t.Errorf("line of what is not written = %d, want 16, its nearest parent's", got)
	}
	if w := vs.Spec.Http[0].Route[1].Weight; w != 10 {
		t.Errorf("weight = %d, want 10", w)
	}
	if d := dr.Spec.TrafficPolicy.OutlierDetection.Interval.AsDuration(); d != 30*time.Second {
		t.Errorf("interval = %v, want 30s", d)
	}
	if vs.Namespace != "default" || vs.File != "testdata/reviews-virtualservice.yaml" || vs.Line != 2 {
		t.Errorf("meta = %+v", vs.Meta)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: %s}\n"

// rule is a DestinationRule of four lines.
func rule(name, spec string) string { return fmt.Sprintf(head, name) + "spec: " + spec + "\n" }

func TestReadsManyDocumentsOfAFile(t *testing.T) {
	text := "%YAML 1.1\n--- # the first\n" + rule("b", "{host: b}") +
		"...\n# nothing\n---\n---\n" + rule("a", "{host: a}") + "--- " + `{"apiVersion": "networking.istio.io/v1beta1", "kind": "DestinationRule",
  "metadata": {"name": "c"}, "spec": {"host": "c\ud83d\ude00"}}` + "\r\n---\r\n" + strings.ReplaceAll(rule("d", "{host: d}"), "\n", "\r\n")
	_, err := rules.Parse("many.yaml", []byte("\ufeff"+text))
	if err == nil {
		t.Fatal("a host with an emoji passed")
	}
	set, err := rules.Parse("many.yaml", []byte("\ufeff"+strings.ReplaceAll(text, `\ud83d\ude00`, "")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, dr := range set.DestinationRules {
		got = append(got, fmt.Sprintf("%s:%d", dr.Name, dr.Line))
	}
	if fmt.Sprint(got) != "[a:11 b:3 c:15 d:18]" {
		t.Error(got)
	}
}

func TestReadsJSONWithItsOwnReader(t *testing.T) {
	text := `{"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
	"metadata": {"name": "a", "annotations": {"smile": "\ud83d\ude00\/"}},
	"spec": {"host"
		: "a", "trafficPolicy": {"outlierDetection": {"consecutive5xxErrors": 5e0, "interval": "100ms"}}}}
{"apiVersion": "v1", "kind": "Secret"}`
	set, err := rules.Parse("a.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	dr := set.DestinationRules[0]
	if got := dr.Annotations["smile"]; got != "😀/" {
		t.Errorf("annotation = %q", got)
	}
	od := dr.Spec.TrafficPolicy.OutlierDetection
	if od.Consecutive_5XxErrors.Value != 5 || od.Interval.AsDuration() != 100*time.Millisecond {
		t.Errorf("outlier detection = %v", od)
	}
	if got := dr.LineOf("spec.trafficPolicy.outlierDetection.interval"); got != 4 {
		t.Errorf("line = %d, want 4", got)
	}
	if len(set.Warnings) == 0 || set.Warnings[len(set.Warnings)-1].Line != 5 {
		t.Errorf("warnings = %v, want one on line 5", set.Warnings)
	}
}

// What Istio's decoder accepts is accepted, as it reads it.
func TestAcceptsWhatIstioAccepts(t *testing.T) {
	const text = `
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: lenient
  namespace: prod
  creationTimestamp: 2024-05-06T07:08:09Z
  labels: {app: web}
  uid: 8b8f
  resourceVersion: "12"
  generation: 3
  managedFields: [{manager: kubectl}]
  ownerReferences: [{kind: Deployment}]
  finalizers: [x]
status: {anything: [goes]}
spec:
  hosts: [reviews.prod.svc.cluster.local]
  gateways:
  tcp: null
  http:
  - timeout: 1m30s
    retries:
      attempts: "3"
      per_try_timeout: 100ms
      retry_on: 5xx
      retryRemoteLocalities: yes
    match:
    - uri: {prefix: '/'}
      ignore_uri_case: on
      headers: {8080: {exact: a}}
    fault:
      abort: {httpStatus: 0x1F4, percentage: {value: "50"}}
    route:
    - destination: {host: reviews, port: {number: 9_080}}
      weight: 1e2
`
	set, err := rules.Parse("lenient.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	vs := set.VirtualServices[0]
	http := vs.Spec.Http[0]
	check := func(what string, got, want any) {
		if got != want {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	check("created", vs.Created, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC))
	check("label", vs.Labels["app"], "web")
	check("timeout", http.Timeout.AsDuration(), 90*time.Second)
	check("attempts", http.Retries.Attempts, int32(3))
	check("per try", http.Retries.PerTryTimeout.AsDuration(), durationpb.New(100*time.Millisecond).AsDuration())
	check("line of a snake_case field", vs.LineOf("spec.http[0].retries.perTryTimeout"), 24)
	check("remote localities", http.Retries.RetryRemoteLocalities.Value, true)
	check("header", http.Match[0].Headers["8080"].GetExact(), "a")
	check("ignore case", http.Match[0].IgnoreUriCase, true)
	check("abort", http.Fault.Abort.GetHttpStatus(), int32(500))
	check("percentage", http.Fault.Abort.Percentage.Value, 50.0)
	check("port", http.Route[0].Destination.Port.Number, uint32(9080))
	check("weight", http.Route[0].Weight, int32(100))
}

func TestFlattensLists(t *testing.T) {
	text := "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems:\n" +
		"- " + strings.ReplaceAll(strings.TrimSpace(rule("a", "{host: a}")), "\n", "\n  ") + "\n" +
		"- " + strings.ReplaceAll(strings.TrimSpace(rule("b", "{host: b}")), "\n", "\n  ") + "\n"
	set, err := rules.Parse("list.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(set.DestinationRules); n != 2 || set.DestinationRules[1].Line != 9 {
		t.Errorf("%d rules: %v", n, set.DestinationRules[1].Meta)
	}
}

func TestExpandsAnchorsAndMergeKeys(t *testing.T) {
	const text = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: anchors}
spec:
  host: reviews
  subsets:
  - &v1
    name: v1
    labels: &labels {app: reviews, version: v1}
  - <<: *v1
    name: v2
    labels:
      <<: [{version: v2}, *labels]
`
	set, err := rules.Parse("anchors.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	subset := set.DestinationRules[0].Spec.Subsets[1]
	if subset.Name != "v2" || fmt.Sprint(subset.Labels) != "map[app:reviews version:v2]" {
		t.Errorf("subset = %v", subset)
	}
}

func TestOrdersObjectsByCreationThenNameThenNamespace(t *testing.T) {
	object := func(name, namespace, created string) string {
		return fmt.Sprintf("---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: %s, namespace: %s, creationTimestamp: %s}\nspec: {host: %s}\n",
			name, namespace, created, name+"."+namespace)
	}
	set, err := rules.Parse("order.yaml", []byte(object("a", "x", "2024-01-02T00:00:00Z")+
		object("b", "z", "2024-01-01T00:00:00Z")+object("c", "z", "null")+object("b", "x", "2024-01-01T00:00:00Z")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, dr := range set.DestinationRules {
		got = append(got, dr.Namespace+"/"+dr.Name)
	}
	if fmt.Sprint(got) != "[z/c x/b z/b x/a]" {
		t.Error(got)
	}
}

func TestNamesBothPlacesOfAnObjectDefinedTwice(t *testing.T) {
	_, err := rules.Load(fstest.MapFS{
		"a.yaml": {Data: []byte(rule("x", "{host: a}"))},
		"b.yaml": {Data: []byte("\n\n" + rule("x", "{host: b}"))},
	})
	wantFault(t, err, "b.yaml:3: DestinationRule default/x: defined twice, first at a.yaml:1")
}

// One bad object keeps all others out: half an update might send traffic to
// subsets that the other half defines.
func TestRejectsAllForOneFault(t *testing.T) {
	for _, bad := range []string{
		rule("bad", "{hots: b}"),
		"apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a}\n",
	} {
		set, err := rules.Load(fstest.MapFS{
			"a.yaml": {Data: []byte(rule("good", "{host: a}"))},
			"b.yml":  {Data: []byte(bad)},
		})
		if set != nil || err == nil {
			t.Errorf("set %v, error %v", set, err)
		}
	}
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	faults, ok := errors.AsType[rules.Faults](err)
	if !ok {
		t.Fatalf("error %v is not Faults, want %s", err, want)
	}
	for _, f := range faults {
		if strings.HasPrefix(f.String(), want) {
			return
		}
	}
	t.Errorf("got\n%v\nwant %s", err, want)
}
