package mask_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSecretsAreKnownByName(t *testing.T) {
	for name, want := range map[string]bool{
		"Authorization": true, "proxy-authorization": true, "Cookie": true, "Set-Cookie": true, "X-Api-Key": true, "x-amz-security-token": true,
		"access_token": true, "accessToken": true, "client_secret": true, "password": true, "sig": true, "X-Auth": true, "code": true,
		"X-Session": true, "PHPSESSID": true, "sid": true, "apikey": true, "X-Goog-Iap-Jwt-Assertion": true,
		"Accept": false, "User-Agent": false, "end-user": false, "x-request-id": false, "traceparent": false, ":authority": false,
		"author": false, "page": false, "keyboard": false, "": false,
	} {
		if got := mask.Secret(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestQueriesKeepTheirFormAndLoseTheirSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"":                            "",
		"a=1&b=2":                     "a=1&b=2",
		"access_token=s3cr3t&a=1":     "access_token=***&a=1",
		"a=1&%74oken=s3cr3t":          "a=1&%74oken=***",
		"token":                       "token",
		"q=Bearer+s3cr3t":             "q=Bearer+***",
		"next=https://u:s3cr3t@host/": "next=https://***@host/",
		"next=%2Fcb%3Fa%3D1%26token%3Ds3cr3t&a=1":     "next=***&a=1",
		"next=%2Fcb%3Fa%3D1&a=1":                      "next=%2Fcb%3Fa%3D1&a=1",
		"next=https%3A%2F%2Fu%3As3cr3t%40host%2F&a=1": "next=***&a=1",
		"next=/a?token=s3cr3t&b=1":                    "next=/a?token=***&b=1",
		"q=eyJhbGciOi.eyJzdWIi.c2ln&b=":               "q=***&b=",
	} {
		if got := mask.Query(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestTextsLoseWhatLooksLikeASecret(t *testing.T) {
	for text, want := range map[string]string{
		"the weather is fine":                                            "the weather is fine",
		"Bearer s3cr3t-s3cr3t, then":                                     "Bearer ***, then",
		"authorization is BASIC dXNlcjpwYXNz":                            "authorization is BASIC ***",
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.":                           "***",
		"GET /a?x=1&token=s3cr3t HTTP/1.1":                               "GET /a?x=1&token=*** HTTP/1.1",
		"https://me:s3cr3t@host/keys?api_key=1#f":                        "https://***@host/keys?api_key=***#f",
		"redis://:s3cr3t@s3cr3t@host/0, mail a@b":                        "redis://***@host/0, mail a@b",
		"/path/eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.abc":                  "/path/***",
		"-----BEGIN EC PRIVATE KEY-----\ns3cr3t":                         "***",
		"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY----- rest": "*** rest",
		"basic auth is missing":                                          "basic *** is missing", // that is the price
	} {
		if got := mask.Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHeadersAreMaskedByNameAndByLooks(t *testing.T) {
	for name, want := range map[string][]string{
		"Cookie": {"***", "***"}, "X-Other": {"a", "Bearer ***"},
	} {
		if got := mask.Header(name, []string{"a", "Bearer s3cr3t"}); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("Bearer abc ?token=x -----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, s string) {
		if got := mask.Text("x Bearer s3cr3ts3cr3t " + s); strings.Contains(got, "s3cr3ts3cr3t") && !strings.Contains(s, "s3cr3ts3cr3t") {
			t.Errorf("%q: %q", s, got)
		}
		_ = mask.Query(s)
	})
}
