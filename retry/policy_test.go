package retry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

// What each token retries, as the rule reference lists it: answers by status
// ("503"), by gRPC status in the headers ("grpc14"), and failures by name.
// "unsent" is a reset before the first byte.
func retried() map[string]string {
	const noAnswer = " connect refused reset unsent pertry"
	return map[string]string{
		"5xx":                        "500 501 502 503 504 599" + noAnswer,
		"gateway-error":              "502 503 504" + noAnswer,
		"reset":                      noAnswer,
		"reset-before-request":       "connect unsent",
		"connect-failure":            "connect",
		"refused-stream":             "refused",
		"retriable-4xx":              "409",
		"retriable-status-codes":     "",
		"retriable-headers":          "",
		"envoy-ratelimited":          "ratelimited200 ratelimited429 ratelimited503",
		"http3-post-connect-failure": "",
		"cancelled":                  "grpc1",
		"deadline-exceeded":          "grpc4",
		"internal":                   "grpc13",
		"resource-exhausted":         "grpc8",
		"unavailable":                "grpc14",
		"425":                        "425",
		"503":                        "503",
	}
}

// outcomes are all kinds of tries, by the names used above.
func outcomes() map[string]retry.Try {
	all := map[string]retry.Try{
		"connect":   {Failure: retry.ConnectFailure},
		"refused":   {Failure: retry.RefusedStream},
		"reset":     {Failure: retry.Reset},
		"unsent":    {Failure: retry.Reset, Unsent: true},
		"pertry":    {Failure: retry.PerTryTimeout},
		"overflow":  {Failure: retry.Overflow, Unsent: true},
		"nohealthy": {Failure: retry.NoHealthy, Unsent: true},
		"canceled":  {Failure: retry.Canceled},
		"deadline":  {Failure: retry.DeadlineExceeded},
	}
	for _, status := range []int{0, 100, 200, 301, 400, 404, 408, 409, 425, 429, 499, 500, 501, 502, 503, 504, 599, 600} {
		all[fmt.Sprint(status)] = retry.Try{Status: status, GRPCStatus: -1}
	}
	for status := range 17 {
		all[fmt.Sprintf("grpc%d", status)] = retry.Try{Status: 200, GRPCStatus: status}
	}
	for _, status := range []int{200, 429, 503} {
		all[fmt.Sprintf("ratelimited%d", status)] = retry.Try{Status: status, GRPCStatus: 14, RateLimited: true}
	}
	return all
}

func TestEveryTokenRetriesExactlyItsOutcomes(t *testing.T) {
	for token, names := range retried() {
		p := retry.Policy{Attempts: 1, On: parse(t, token)}
		for name, try := range outcomes() {
			want := strings.Contains(" "+names+" ", " "+name+" ")
			if got := p.Decide(try, 0); got.Retry() != want {
				t.Errorf("%s: %s: %q, want a retry: %v", token, name, got, want)
			}
		}
	}
}

func TestTokensAddUp(t *testing.T) {
	table := retried()
	for a, first := range table {
		for b, second := range table {
			p := retry.Policy{Attempts: 1, On: parse(t, a+","+b)}
			names := " " + first + " " + second + " "
			for name, try := range outcomes() {
				if want := strings.Contains(names, " "+name+" "); p.Decide(try, 0).Retry() != want {
					t.Errorf("%s,%s: %s: want a retry: %v", a, b, name, want)
				}
			}
		}
	}
}

func TestTheDefaultPolicyIsIstios(t *testing.T) {
	p := retry.Default()
	if p.Attempts != 2 || !p.AvoidTried || p.PerTryTimeout != 0 {
		t.Errorf("got %+v", p)
	}
	for name, try := range outcomes() {
		try.Idempotent = true
		want := strings.Contains(" connect refused grpc1 grpc14 ", " "+name+" ")
		if got := p.Decide(try, 0); got.Retry() != want {
			t.Errorf("%s: %q, want a retry: %v", name, got, want)
		}
	}
}

func TestEachDecisionSaysWhy(t *testing.T) {
	on := func(s string) retry.Policy { return retry.Policy{Attempts: 2, On: parse(t, s)} }
	safe := func(s string) retry.Policy {
		p := on(s)
		p.SafeReplay = true
		return p
	}
	for _, test := range []struct {
		name   string
		policy retry.Policy
		try    retry.Try
		done   int
		want   retry.Decision
		says   string
	}{
		{"first", on("5xx"), retry.Try{Status: 503}, 0, retry.Again, "retried"},
		{"second", on("5xx"), retry.Try{Status: 503}, 1, retry.Again, "retried"},
		{"third", on("5xx"), retry.Try{Status: 503}, 2, retry.Exhausted, "exhausted"},
		{"success is not exhausted", on("5xx"), retry.Try{Status: 200}, 2, retry.Final, "no retry condition"},
		{"the zero policy", retry.Policy{}, retry.Try{Status: 503}, 0, retry.Final, "no retry condition"},
		{"no attempts", retry.Policy{On: parse(t, "5xx")}, retry.Try{Status: 503}, 0, retry.Exhausted, "exhausted"},
		{"rate limited", on("5xx"), retry.Try{Status: 503, RateLimited: true}, 0, retry.RateLimited, "x-envoy-ratelimited"},
		{"overflow", on("5xx"), retry.Try{Failure: retry.Overflow}, 0, retry.Local, "caller's side"},
		{"body consumed", on("5xx"), retry.Try{Status: 503, Unreplayable: true}, 0, retry.Unreplayable, "second time"},
		{"a written policy replays POST", on("5xx"), retry.Try{Status: 503}, 0, retry.Again, "retried"},
		{"a safe one does not", safe("5xx"), retry.Try{Status: 503}, 0, retry.Unsafe, "may have been executed"},
		{"nor after a reset", safe("5xx"), retry.Try{Failure: retry.Reset}, 0, retry.Unsafe, "may have been executed"},
		{"unless idempotent", safe("5xx"), retry.Try{Status: 503, Idempotent: true}, 0, retry.Again, "retried"},
		{"or not connected", safe("5xx"), retry.Try{Failure: retry.ConnectFailure}, 0, retry.Again, "retried"},
		{"or refused", safe("5xx"), retry.Try{Failure: retry.RefusedStream}, 0, retry.Again, "retried"},
		{"or unsent", safe("5xx"), retry.Try{Failure: retry.Reset, Unsent: true}, 0, retry.Again, "retried"},
		{"an answer was executed", safe("5xx"), retry.Try{Status: 503, Unsent: true}, 0, retry.Unsafe, "may have been executed"},
	} {
		got := test.policy.Decide(test.try, test.done)
		if got != test.want || !strings.Contains(got.String(), test.says) {
			t.Errorf("%s: got %q, want %q with %q", test.name, got, test.want, test.says)
		}
	}
}

func TestTheWaitIsTheLongerOfBackoffAndRetryAfter(t *testing.T) {
	p := retry.Policy{Attempts: 9, On: parse(t, "5xx"), Backoff: retry.Backoff{NoJitter: true}}
	const ms = time.Millisecond
	for _, test := range []struct {
		try       retry.Try
		done      int
		remaining time.Duration
		want      time.Duration
		decision  retry.Decision
	}{
		{retry.Try{Status: 503}, 0, retry.NoDeadline, 25 * ms, retry.Again},
		{retry.Try{Status: 503}, 1, retry.NoDeadline, 50 * ms, retry.Again},
		{retry.Try{Status: 503, RetryAfter: 10 * ms}, 0, retry.NoDeadline, 25 * ms, retry.Again},
		{retry.Try{Status: 503, RetryAfter: time.Second}, 0, retry.NoDeadline, time.Second, retry.Again},
		{retry.Try{Status: 503, RetryAfter: time.Second}, 0, 1001 * ms, time.Second, retry.Again},
		{retry.Try{Status: 503, RetryAfter: time.Second}, 0, time.Second, 0, retry.TooLate},
		{retry.Try{Status: 503}, 0, 25 * ms, 0, retry.TooLate},
		{retry.Try{Status: 503}, 0, -time.Second, 0, retry.TooLate},
		{retry.Try{Status: 503, RetryAfter: retry.MaxRetryAfter}, 0, retry.NoDeadline, retry.MaxRetryAfter, retry.Again},
		{retry.Try{Status: 503, RetryAfter: retry.MaxRetryAfter + 1}, 0, retry.NoDeadline, 0, retry.TooLate},
		{retry.Try{Failure: retry.Reset, RetryAfter: time.Second}, 0, retry.NoDeadline, 25 * ms, retry.Again},
		{retry.Try{Status: 200, RetryAfter: time.Second}, 0, retry.NoDeadline, 0, retry.Final},
		{retry.Try{Status: 503}, 9, retry.NoDeadline, 0, retry.Exhausted},
	} {
		wait, d := p.Next(test.try, test.done, test.remaining)
		if wait != test.want || d != test.decision {
			t.Errorf("%+v after %d, %v left: got %v %q, want %v %q", test.try, test.done, test.remaining, wait, d, test.want, test.decision)
		}
	}
}

func TestAPerTryTimeoutThatIsNotShorterIsIgnored(t *testing.T) {
	p := retry.Policy{PerTryTimeout: time.Second}
	for timeout, want := range map[time.Duration]time.Duration{
		0: time.Second, 999 * time.Millisecond: 0, time.Second: 0, 1001 * time.Millisecond: time.Second,
	} {
		if got := p.TryTimeout(timeout); got != want {
			t.Errorf("of %v: %v, want %v", timeout, got, want)
		}
	}
}

func TestIdempotentMethodsAreThoseOfRFC9110(t *testing.T) {
	for method, want := range map[string]bool{
		"": true, "GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true,
		"POST": false, "PATCH": false, "CONNECT": false, "get": false, "LOCK": false,
	} {
		if got := retry.Idempotent(method); got != want {
			t.Errorf("%q: %v, want %v", method, got, want)
		}
	}
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	p := retry.Default()
	try := retry.Try{Failure: retry.ConnectFailure}
	if n := testing.AllocsPerRun(100, func() { p.Next(try, 0, retry.NoDeadline) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestFailuresAndDecisionsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for f := retry.None; f <= retry.DeadlineExceeded; f++ {
		seen[f.String()] = true
	}
	for d := retry.Final; d <= retry.OverBudget; d++ {
		seen[d.String()] = true
	}
	if want := int(retry.DeadlineExceeded) + int(retry.OverBudget) + 2; len(seen) != want {
		t.Errorf("%d different names, want %d", len(seen), want)
	}
	if got := retry.Failure(200).String() + " " + retry.Decision(200).String(); got != "failure(200) decision(200)" {
		t.Errorf("got %q", got)
	}
}
