package rules_test

import (
	"bufio"
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// The files in testdata/faults say themselves what is wrong with them: what
// follows #! on a line is the severity, the field and the message of each fault
// that must be found there, and none else may be found.
func TestTellsEveryFaultOnItsLine(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			faults, err := rules.Lint(name)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, annotated(read(t, name)), told(faults))
		})
	}
}

func annotated(data []byte) (want []string) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		for _, fault := range strings.Split(lines.Text(), " #! ")[1:] {
			want = append(want, fmt.Sprintf("%d: %s", n, fault))
		}
	}
	return want
}

func told(faults rules.Faults) (got []string) {
	for _, f := range faults {
		message := f.Message
		if f.Field != "" {
			message = f.Field + ": " + message
		}
		got = append(got, fmt.Sprintf("%d: %s: %s", f.Line, f.Severity, message))
	}
	return got
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("surplus: %s", g)
		}
	}
}

func TestTellsFaultsOfFormAndOfMeaningAtOnce(t *testing.T) {
	_, err := rules.Parse("a.yaml", []byte(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a]
  http:
  - route: [{destination: {host: a}, wieght: 1}]
    timeout: 0s
    retries: {attempts: no, perTryTimeout: 1s}
`))
	want := []string{
		`a.yaml:7: VirtualService default/a: spec.http[0].route[0].wieght: HTTPRouteDestination has no field "wieght"; did you mean "weight"?`,
		`a.yaml:8: VirtualService default/a: spec.http[0].timeout: 0s: want 1ms or more; to switch it off, leave the field out`,
		`a.yaml:9: VirtualService default/a: spec.http[0].retries.attempts: want a whole number, got no`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}
