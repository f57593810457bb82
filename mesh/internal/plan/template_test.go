package plan_test

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// values are what operators can be asked for, all of it.
func values() plan.Values {
	return plan.Values{
		Request: &plan.Request{
			Method: "GET", Scheme: "http", Authority: "a.com:80", Path: "/p", RawQuery: "q=1", Origin: plan.Remote("10.0.0.9:4711"),
			Header: map[string][]string{"X-User": {"alice"}, "X-Two": {"a", "b"}, "X-Empty": {""}},
		},
		Protocol: "HTTP/1.1",
		Start:    time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
		Upstream: "10.0.0.1:9080",
		Status:   503,
		Response: map[string][]string{"X-Server": {"s"}},
	}
}

// formatted is the header that a value makes, "unset" if it makes none.
func formatted(t *testing.T, value string, v plan.Values) string {
	t.Helper()
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{headers: {response: {set: {x: '"+value+"'}}}, route: [{destination: {host: b.com}}]}]"))
	h := maps.Clone(v.Response)
	if h == nil {
		h = map[string][]string{}
	}
	route(t, p, "http://a.com/").Destinations[0].Response.ApplyToResponse(h, v)
	if h["X"] == nil {
		return "unset"
	}
	return h["X"][0]
}

func TestOperatorsInHeaderValues(t *testing.T) {
	hostname, _ := os.Hostname()
	for value, want := range map[string]string{
		"plain":                       "plain",
		"%%":                          "%",
		"100%% of %%REQ(x)%%":         "100% of %REQ(x)%",
		"%REQ(x-user)%":               "alice",
		"%REQ(X-User)%":               "alice",
		"<%REQ(x-user)%>":             "<alice>",
		"%REQ(x-user) %":              "alice",
		"%REQ(x-two)%":                "a,b",
		"%REQ(:method)%":              "GET",
		"%REQ(:path)%":                "/p?q=1",
		"%REQ(:authority)%":           "a.com:80",
		"%REQ(host)%":                 "a.com:80",
		"%REQ(:scheme)%":              "http",
		"%REQ(x-none?x-user)%":        "alice",
		"%REQ(x-user?x-two)%":         "alice",
		"%RESP(x-server)%":            "s",
		"%RESP(x-none?x-server)%":     "s",
		"%RESP(:status)%":             "503",
		"%PROTOCOL%":                  "HTTP/1.1",
		"%START_TIME%":                "2026-01-02T03:04:05.678Z",
		"%HOSTNAME%":                  hostname,
		"%RESPONSE_CODE%":             "503",
		"%UPSTREAM_HOST%":             "10.0.0.1:9080",
		"%UPSTREAM_REMOTE_ADDRESS%":   "10.0.0.1:9080",
		"%DOWNSTREAM_REMOTE_ADDRESS%": "10.0.0.9:4711",
		"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%": "10.0.0.9",
		"%PROTOCOL% (x) %PROTOCOL%":                "HTTP/1.1 (x) HTTP/1.1",
		"%REQ(x-user)%%REQ(x-user)%":               "alicealice",
		"%REQ(x-user)%%%":                          "alice%",
		// "set/add whose (formatted) value is empty does nothing"
		"%REQ(x-none)%":   "unset",
		"%REQ(x-empty)%":  "unset",
		"a%REQ(x-none)%b": "ab",
		"%RESP(x-none)%":  "unset",
		"%REQ(x-none?y)%": "unset",
	} {
		if got := formatted(t, value, values()); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func TestOperatorsOfWhatIsNotThereYetWriteNothing(t *testing.T) {
	for _, value := range []string{"%RESPONSE_CODE%", "%UPSTREAM_HOST%", "%RESP(x)%", "%RESP(:status)%", "%DOWNSTREAM_REMOTE_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%PROTOCOL%"} {
		if got := formatted(t, value, plan.Values{Request: &plan.Request{}}); got != "unset" {
			t.Errorf("%s: %q, want nothing", value, got)
		}
	}
}

// operators are all that Envoy has for headers, and some that it has not.
var operators = strings.Fields(`REQ RESP TRAILER PROTOCOL START_TIME HOSTNAME RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_FLAGS
	UPSTREAM_HOST UPSTREAM_REMOTE_ADDRESS UPSTREAM_LOCAL_ADDRESS UPSTREAM_CLUSTER UPSTREAM_METADATA BYTES_SENT BYTES_RECEIVED DURATION
	DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_PEER_SUBJECT
	DYNAMIC_METADATA PER_REQUEST_STATE FILTER_STATE ROUTE_NAME VIRTUAL_CLUSTER_NAME GRPC_STATUS ENVIRONMENT CONNECTION_ID STREAM_ID
	REQUESTED_SERVER_NAME X req`)

func TestEveryOperatorThatRulesAcceptHasAValue(t *testing.T) {
	for _, name := range operators {
		value := "%" + name + "%"
		if name == "REQ" || name == "RESP" {
			value = "%" + name + "(" + map[string]string{"REQ": "x-user", "RESP": "x-server"}[name] + ")%"
		}
		_, err := rules.Parse("x.yaml", []byte(virtualService("v", "hosts: [a.com]\nhttp: [{headers: {request: {set: {x: '"+value+"'}}}, route: [{destination: {host: b.com}}]}]")))
		if accepted := err == nil; accepted != rules.KnownHeaderOperator(name) {
			t.Errorf("%s: accepted %v, known %v", value, accepted, rules.KnownHeaderOperator(name))
		}
		if rules.KnownHeaderOperator(name) != plan.KnowsOperator(name) {
			t.Errorf("%s: rules say %v, the plan %v", name, rules.KnownHeaderOperator(name), plan.KnowsOperator(name))
		}
		if err == nil {
			if got := formatted(t, value, values()); got == "unset" {
				t.Errorf("%s has no value", value)
			}
		}
	}
}
