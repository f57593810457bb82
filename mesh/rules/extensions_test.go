package rules_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestAnnotationsOfInmeshAreCheckedLikeFields(t *testing.T) {
	document := func(kind, annotation, spec string) string {
		return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: a, annotations: {" + annotation + "}}\nspec: {" + spec + "}\n"
	}
	const dr, vs = "host: a", "hosts: [a], http: [{route: [{destination: {host: a}}]}]"
	for name, test := range map[string]struct{ document, want string }{
		"peak EWMA":          {document("DestinationRule", "inmesh/balancer: PEAK_EWMA", dr), ""},
		"somebody else's":    {document("DestinationRule", "example.com/inmesh: x", dr), ""},
		"unknown value":      {document("DestinationRule", "inmesh/balancer: EWMA", dr), `metadata.annotations[inmesh/balancer]: "EWMA": want PEAK_EWMA`},
		"unknown annotation": {document("DestinationRule", "inmesh/balancr: PEAK_EWMA", dr), "there is no such annotation"},
		"wrong kind":         {document("VirtualService", "inmesh/balancer: PEAK_EWMA", vs), "it belongs on a DestinationRule"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rules.Parse("a.yaml", []byte(test.document))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}
