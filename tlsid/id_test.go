package tlsid_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

func TestIDsKeepTheSpecification(t *testing.T) {
	long := "spiffe://td/" + strings.Repeat("a", tlsid.MaxIDBytes)
	for id, want := range map[string]string{ // to what it is refused for; "" is accepted
		"spiffe://td": "",
		"spiffe://cluster.local/ns/default/sa/reviews": "",
		"spiffe://10.0.0.1/a":                          "",
		"spiffe://a-b_c.9/A-b_C.9":                     "",
		"spiffe://td/...":                              "",
		"spiffe://td/.a":                               "",
		long[:tlsid.MaxIDBytes]:                        "",
		long[:tlsid.MaxIDBytes+1]:                      "2049 bytes, more than 2048",
		"spiffe://" + strings.Repeat("a", 255):         "",
		"spiffe://" + strings.Repeat("a", 256):         "256 bytes, more than 255",
		"":                                             "does not begin with spiffe://",
		"td/a":                                         "does not begin with spiffe://",
		"http://td/a":                                  "does not begin with spiffe://",
		"SPIFFE://td/a":                                "does not begin with spiffe://",
		"spiffe:/td/a":                                 "does not begin with spiffe://",
		"spiffe://":                                    "the name is empty",
		"spiffe:///a":                                  "the name is empty",
		"spiffe://TD/a":                                "character 'T' at byte 0",
		"spiffe://user@td/a":                           "character '@' at byte 4",
		"spiffe://td:80/a":                             "character ':' at byte 2",
		"spiffe://[::1]/a":                             "character '['",
		"spiffe://t%64/a":                              "character '%'",
		"spiffe://tü/a":                                "character 'Ã'",
		"spiffe://td?q":                                "character '?'",
		"spiffe://td#f":                                "character '#'",
		"spiffe://td/":                                 "ends with a slash",
		"spiffe://td/a/":                               "ends with a slash",
		"spiffe://td//a":                               "a segment is empty",
		"spiffe://td/a//b":                             "a segment is empty",
		"spiffe://td/./a":                              `a segment is "."`,
		"spiffe://td/a/..":                             `a segment is ".."`,
		"spiffe://td/a%2fb":                            "character '%' at byte 1",
		"spiffe://td/a?q=1":                            "character '?'",
		"spiffe://td/a#":                               "character '#'",
		"spiffe://td/a b":                              "character ' '",
		"spiffe://td/a\x00":                            "character '\\x00'",
		"spiffe://td/ns/default/sa/reviews,spiffe://b/c": "character ','",
	} {
		parsed, err := tlsid.ParseID(id)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.60q: %v", id, err)
		case want == "" && parsed.String() != id:
			t.Errorf("%.60q is spelt %.60q", id, parsed)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.60q: got %v, want %s", id, err, want)
		case want != "" && !parsed.IsZero():
			t.Errorf("%.60q: the error comes with %s", id, parsed)
		}
	}
}

func TestTrustDomainsAreNamesOnly(t *testing.T) {
	for _, name := range []string{"", "a/b", "spiffe://td", "Td", "td:1", strings.Repeat("a", 256)} {
		if d, err := tlsid.ParseTrustDomain(name); err == nil || !d.IsZero() {
			t.Errorf("%.20q is taken for %s", name, d)
		}
	}
	if d := domain(t, "cluster.local"); d.String() != "cluster.local" || d.IsZero() {
		t.Errorf("got %s", d)
	}
}

func TestWorkloadsHaveIstiosIDs(t *testing.T) {
	id, err := tlsid.ForWorkload(domain(t, "td"), "prod", "reviews")
	if err != nil || id.String() != "spiffe://td/ns/prod/sa/reviews" {
		t.Errorf("got %s, %v", id, err)
	}
	if namespace, account, ok := id.Workload(); namespace != "prod" || account != "reviews" || !ok {
		t.Errorf("got %s, %s, %v", namespace, account, ok)
	}
	for _, bad := range [][2]string{{"", "a"}, {"a", ""}, {"a/sa/b", "c"}, {"a", "b/c"}, {"..", "a"}, {"a", "b c"}} {
		if id, err := tlsid.ForWorkload(domain(t, "td"), bad[0], bad[1]); err == nil {
			t.Errorf("%q is taken for %s", bad, id)
		}
	}
	if _, err := tlsid.ForWorkload(tlsid.TrustDomain{}, "a", "b"); err == nil {
		t.Error("no trust domain is taken for one")
	}
}

func TestOtherIDsAreNoWorkloads(t *testing.T) {
	for _, s := range []string{
		"spiffe://td", "spiffe://td/ns/a", "spiffe://td/ns/a/sa", "spiffe://td/ns/a/sb/c",
		"spiffe://td/ns/a/sa/b/c", "spiffe://td/x/ns/a/sa/b", "spiffe://td/ns/sa/b",
	} {
		if namespace, account, ok := id(t, s).Workload(); ok {
			t.Errorf("%s is taken for %s in %s", s, account, namespace)
		}
	}
}

func TestIDsMarshalAsTheirSpelling(t *testing.T) {
	type both struct {
		ID     tlsid.ID
		Domain tlsid.TrustDomain
		None   tlsid.ID
	}
	text, err := json.Marshal(both{ID: id(t, "spiffe://td/a"), Domain: domain(t, "td")})
	if want := `{"ID":"spiffe://td/a","Domain":"td","None":""}`; string(text) != want || err != nil {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

// FuzzParseID: what is accepted is spelt as it was, has only the characters of
// the specification, and is put together again from its parts.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"spiffe://td/a", "spiffe://td", "spiffe://a.b/ns/c/sa/d", "spiffe://td/a/../b", "x", "spiffe://t\xc3/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := tlsid.ParseID(s)
		if err != nil {
			if !id.IsZero() || len(err.Error()) > 2000 {
				t.Errorf("%q: got %s and %d bytes of error", s, id, len(err.Error()))
			}
			return
		}
		if id.String() != s || "spiffe://"+id.TrustDomain().String()+id.Path() != s || len(s) > tlsid.MaxIDBytes {
			t.Errorf("%q is spelt %q", s, id)
		}
		if strings.Trim(s[len("spiffe://"):], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/") != "" {
			t.Errorf("%q has other characters", s)
		}
		if namespace, account, ok := id.Workload(); ok {
			if again, err := tlsid.ForWorkload(id.TrustDomain(), namespace, account); again != id || err != nil {
				t.Errorf("%s of its parts is %s, %v", id, again, err)
			}
		}
	})
}
