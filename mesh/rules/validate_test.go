package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A row is the part of a rule that is looked at, in YAML, and all the faults
// that it must have, one a line: severity, field, and what the message begins
// with or contains. None means that the rule is valid, without a warning.
type row struct{ yaml, want string }

// verify wraps the YAML of each row into an object, and compares the faults.
func verify(t *testing.T, wrap func(string) string, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(shorten(r.yaml), func(t *testing.T) {
			compareFaults(t, r.want, faultsOf(t, wrap(r.yaml)))
		})
	}
}

func shorten(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

func faultsOf(t *testing.T, documents string) rules.Faults {
	t.Helper()
	set, err := rules.Parse("test.yaml", []byte(documents))
	var faults rules.Faults
	switch {
	case err == nil:
		return set.Warnings
	case errors.As(err, &faults):
		return faults
	}
	t.Fatal(err)
	return nil
}

func compareFaults(t *testing.T, want string, got rules.Faults) {
	t.Helper()
	wanted := strings.FieldsFunc(want, func(r rune) bool { return r == '\n' })
	for _, f := range got {
		if i := find(wanted, f); i >= 0 {
			wanted = append(wanted[:i:i], wanted[i+1:]...)
			continue
		}
		t.Errorf("surplus: %s %s: %s", f.Severity, f.Field, f.Message)
	}
	for _, w := range wanted {
		t.Errorf("missing: %s", strings.TrimSpace(w))
	}
}

func find(wanted []string, f rules.Fault) int {
	for i, w := range wanted {
		head, message, _ := strings.Cut(strings.TrimSpace(w), ": ")
		if head == fmt.Sprintf("%s %s", f.Severity, f.Field) && strings.Contains(f.Message, message) {
			return i
		}
	}
	return -1
}

// object is one object of namespace ns, named t; spec is YAML in flow style.
func object(group, kind, spec string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: t, namespace: ns}\nspec: {%s}\n", group, kind, spec)
}

func networkingObject(kind, spec string) string { return object("networking.istio.io/v1", kind, spec) }
func securityObject(kind, spec string) string   { return object("security.istio.io/v1", kind, spec) }

func virtualService(spec string) string  { return networkingObject("VirtualService", spec) }
func destinationRule(spec string) string { return networkingObject("DestinationRule", spec) }
func serviceEntry(spec string) string    { return networkingObject("ServiceEntry", spec) }
func workloadEntry(spec string) string   { return networkingObject("WorkloadEntry", spec) }

func authorization(spec string) string      { return securityObject("AuthorizationPolicy", spec) }
func peerAuthentication(spec string) string { return securityObject("PeerAuthentication", spec) }
func requestAuthentication(spec string) string {
	return securityObject("RequestAuthentication", spec)
}

func telemetryObject(spec string) string { return object("telemetry.istio.io/v1", "Telemetry", spec) }

// rateLimit is a policy for one Server, with these fields besides.
func rateLimit(spec string) string {
	return object("policy.linkerd.io/v1alpha1", "HTTPLocalRateLimitPolicy",
		"targetRef: {group: policy.linkerd.io, kind: Server, name: s}, "+spec)
}

// httpRoute is a VirtualService with one HTTP route of these fields.
func httpRoute(fields string) string {
	return virtualService("hosts: [a], http: [{" + fields + "}]")
}

// forward is an HTTP route with a destination, and these fields besides.
func forward(fields string) string {
	return httpRoute("route: [{destination: {host: a}}], " + fields)
}

// match is a route with one match of these fields.
func match(fields string) string { return forward("match: [{" + fields + "}]") }

// policy is a DestinationRule with a trafficPolicy of these fields.
func policy(fields string) string {
	return destinationRule("host: a, trafficPolicy: {" + fields + "}")
}

// repeat is a quoted string of n letters.
func repeat(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// many is a list of n entries made by entry.
func many(n int, entry func(i int) string) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = entry(i)
	}
	return strings.Join(entries, ", ")
}
