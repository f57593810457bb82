package plan_test

import (
	"fmt"
	"testing"

	"github.com/inmesh-go/inmesh/retry"
)

func TestRetriesAreWhatTheRuleSays(t *testing.T) {
	builtin := retry.Default().On.String()
	for spec, want := range map[string]string{
		// attempts, per try, base and ceiling of the back-off; avoids tried hosts, leaves priorities, replays safely only; conditions
		"":                         "2 0s 25ms/250ms true false true; " + builtin,
		"retries: {}, ":            "0 0s 25ms/250ms true false false; " + builtin, // switches retries off
		"retries: {attempts: 0}, ": "0 0s 25ms/250ms true false false; " + builtin,
		"retries: {attempts: 5}, ": "5 0s 25ms/250ms true false false; " + builtin,
		"retries: {attempts: 1, perTryTimeout: 2s, backoff: 10ms}, ":                             "1 2s 10ms/100ms true false false; " + builtin,
		"retries: {attempts: 1, retryRemoteLocalities: true, retryIgnorePreviousHosts: false}, ": "1 0s 25ms/250ms false true false; " + builtin,
		"retries: {attempts: 1, retryIgnorePreviousHosts: true}, ":                               "1 0s 25ms/250ms true false false; " + builtin,
	} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{"+spec+"route: [{destination: {host: b.com}}]}]"))
		r := route(t, p, "http://a.com/").Retry
		got := fmt.Sprintf("%d %v %v/%v %v %v %v; %s", r.Attempts, r.PerTryTimeout, r.Backoff.Ceiling(1), r.Backoff.Ceiling(20), r.AvoidTried, r.RemoteLocalities, r.SafeReplay, r.On)
		if got != want {
			t.Errorf("{%s}\n got %s\nwant %s", spec, got, want)
		}
	}
}

func TestRetryOnIsWhatIsRetried(t *testing.T) {
	for _, on := range []string{"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx", "refused-stream",
		"retriable-status-codes", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable", "503,reset", "envoy-ratelimited,5xx"} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{retries: {attempts: 1, retryOn: \""+on+"\"}, route: [{destination: {host: b.com}}]}]"))
		want, err := retry.ParseOn(on)
		if err != nil {
			t.Fatal(err)
		}
		if got := route(t, p, "http://a.com/").Retry.On; got != want {
			t.Errorf("%s: %s, want %s", on, got, want)
		}
	}
}

// "unset: true, but false when the single destination uses consistent hashing"
func TestHashedDestinationsDoNotAvoidTriedHosts(t *testing.T) {
	hashed := destinationRule("d", "host: b.com\ntrafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}")
	for _, c := range []struct {
		name, spec string
		want       bool
	}{
		{"single", "{route: [{destination: {host: b.com}}]}", false},
		{"single with retries", "{retries: {attempts: 1}, route: [{destination: {host: b.com}}]}", false},
		{"overridden", "{retries: {attempts: 1, retryIgnorePreviousHosts: true}, route: [{destination: {host: b.com}}]}", true},
		{"several", "{route: [{destination: {host: b.com}, weight: 1}, {destination: {host: c.com}, weight: 1}]}", true},
		{"other", "{route: [{destination: {host: c.com}}]}", true},
	} {
		p := compile(t, hashed, virtualService("v", "hosts: [a.com]\nhttp: ["+c.spec+"]"))
		if got := route(t, p, "http://a.com/").Retry.AvoidTried; got != c.want {
			t.Errorf("%s: avoids tried hosts %v, want %v", c.name, got, c.want)
		}
	}
	if r := route(t, compile(t, hashed), "http://b.com/"); r.Retry.AvoidTried {
		t.Error("the default route of a hashed host avoids tried hosts")
	}
}
