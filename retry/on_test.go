package retry_test

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/retry"
)

const everyToken = "5xx,gateway-error,reset,reset-before-request,connect-failure,refused-stream,retriable-4xx," +
	"retriable-status-codes,retriable-headers,envoy-ratelimited,http3-post-connect-failure," +
	"cancelled,deadline-exceeded,internal,resource-exhausted,unavailable"

func TestParseOnAcceptsWhatIstioAccepts(t *testing.T) {
	for in, want := range map[string]string{
		everyToken:                   everyToken,
		"reset,5xx":                  "5xx,reset",
		"5xx,5xx":                    "5xx",
		"503,reset":                  "reset,retriable-status-codes,503",
		"511,100,418":                "retriable-status-codes,100,418,511",
		"retriable-status-codes":     "retriable-status-codes",
		"retriable-status-codes,503": "retriable-status-codes,503",
		"+503":                       "retriable-status-codes,503",
		"":                           "connect-failure,refused-stream,retriable-status-codes,cancelled,unavailable",
	} {
		c, err := retry.ParseOn(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got := c.String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestParseOnRejectsWhatIstioRejects(t *testing.T) {
	for in, token := range map[string]string{
		"5xx, reset":              `" reset"`,
		"5xx,":                    `""`,
		",5xx":                    `""`,
		" ":                       `" "`,
		"5XX":                     `"5XX"`,
		"299":                     `"299"`,
		"503,600":                 `"600"`,
		"-503":                    `"-503"`,
		"503.0":                   `"503.0"`,
		"0":                       `"0"`,
		"timeout":                 `"timeout"`,
		"99999999999999999999999": `"99999999999999999999999"`,
	} {
		_, err := retry.ParseOn(in)
		if err == nil {
			t.Errorf("%q: accepted", in)
			continue
		}
		if !strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "refused-stream") {
			t.Errorf("%q: %v: want it to name %s and what is allowed", in, err, token)
		}
	}
}

func TestInertListsTheTokensWithoutEffect(t *testing.T) {
	c := parse(t, everyToken)
	if got := c.Inert(); !slices.Equal(got, []string{"retriable-headers", "http3-post-connect-failure"}) {
		t.Errorf("got %v", got)
	}
	if got := parse(t, "5xx,503").Inert(); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

func TestUnionRetriesWhatEitherDoes(t *testing.T) {
	got := parse(t, "reset,503").Union(parse(t, "retriable-4xx,429"))
	if want := parse(t, "reset,retriable-4xx,429,503"); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAStatusSetKnowsNothingBeyondItsRange(t *testing.T) {
	var all retry.StatusSet
	for i := range all {
		all[i] = ^uint64(0)
	}
	for _, code := range []int{-1, -64, 512, math.MaxInt} {
		if all.Has(code) {
			t.Errorf("%d is in the set", code)
		}
	}
}

func FuzzParseOn(f *testing.F) {
	for _, seed := range []string{"", everyToken, "5xx, reset", "503,reset", "299", "+503,0404"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := retry.ParseOn(in)
		if want := validInIstio(in); (err == nil) != want {
			t.Fatalf("%q: got error %v, but Istio's verdict is %v", in, err, want)
		}
		if err != nil {
			return
		}
		again, err := retry.ParseOn(c.String())
		if err != nil || again != c {
			t.Fatalf("%q: %q reads back as %q, %v", in, c, again, err)
		}
	})
}

// validInIstio is the loop of Istio's validateHTTPRetry.
func validInIstio(retryOn string) bool {
	if retryOn == "" {
		return true
	}
	for _, policy := range strings.Split(retryOn, ",") {
		i, _ := strconv.Atoi(policy)
		if http.StatusText(i) == "" && !slices.Contains(strings.Split(everyToken, ","), policy) {
			return false
		}
	}
	return true
}

func parse(t *testing.T, s string) retry.Conditions {
	t.Helper()
	c, err := retry.ParseOn(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
