package jwt_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// TestKeysComeOverHTTP, and what is wrong on the way is reported.
func TestKeysComeOverHTTP(t *testing.T) {
	i := newIssuer(t, "i", "1")
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(server.URL+"/keys", http.StatusFound))
	defer secure.Close()
	say := func(path, text string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	say("/keys", jwks(t, i))
	say("/giant", strings.Repeat(" ", 1<<20)+jwks(t, i))
	say("/full", strings.Repeat(" ", 1<<20-len(jwks(t, i)))+jwks(t, i))
	say("/text", "welcome")
	say("/good/.well-known/openid-configuration", `{"jwks_uri":"`+server.URL+`/keys"}`)
	say("/mute/.well-known/openid-configuration", `{"issuer":"i"}`)
	say("/file/.well-known/openid-configuration", `{"jwks_uri":"file:///etc/passwd"}`)
	say("/bad/.well-known/openid-configuration", `{"jwks_uri":"http://["}`)
	mux.Handle("/1/", http.StripPrefix("/1", http.RedirectHandler("/keys", http.StatusFound)))
	for n := 2; n <= 4; n++ {
		mux.Handle(fmt.Sprintf("/%d/", n), http.RedirectHandler(fmt.Sprintf("/%d/", n-1), http.StatusTemporaryRedirect))
	}

	for name, test := range map[string]struct {
		rule  *security.JWTRule
		fault string // "": none
	}{
		"direct":             {&security.JWTRule{JwksUri: server.URL + "/keys"}, ""},
		"a full MiB":         {&security.JWTRule{JwksUri: server.URL + "/full"}, ""},
		"three redirects":    {&security.JWTRule{JwksUri: server.URL + "/3/"}, ""},
		"four redirects":     {&security.JWTRule{JwksUri: server.URL + "/4/"}, "more than 3 redirects"},
		"down to http":       {&security.JWTRule{JwksUri: secure.URL}, "led from https://"},
		"more than a MiB":    {&security.JWTRule{JwksUri: server.URL + "/giant"}, "longer than 1048576 bytes"},
		"not found":          {&security.JWTRule{JwksUri: server.URL + "/none"}, "404 Not Found"},
		"no JSON":            {&security.JWTRule{JwksUri: server.URL + "/text"}, "Jwks is an invalid JSON"},
		"discovery":          {&security.JWTRule{Issuer: server.URL + "/good/"}, ""},
		"discovery mute":     {&security.JWTRule{Issuer: server.URL + "/mute"}, "no JSON object with a string jwks_uri"},
		"discovery of files": {&security.JWTRule{Issuer: server.URL + "/file"}, "led from http://"},
		"discovery of junk":  {&security.JWTRule{Issuer: server.URL + "/bad"}, "its jwks_uri is no URL"},
		"issuer is no URL":   {&security.JWTRule{Issuer: "someone@example.com"}, "unsupported protocol scheme"},
		"no URL":             {&security.JWTRule{JwksUri: "http://[", Issuer: "i"}, "cannot be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := make(chan error, 10)
			keys := jwt.New(jwt.Config{Client: secure.Client(), Report: func(err error) { faults <- err }})
			defer keys.Close()
			a := compileOn(keys, test.rule)
			token := i.token(t, claims{"iss": test.rule.GetIssuer()})
			if test.fault == "" {
				verified(t, a, bearer(token))
				return
			}
			refused(t, a, bearer(token), fetchFailed)
			if err := <-faults; !strings.Contains(err.Error(), test.fault) {
				t.Errorf("reported %q, want %q", err, test.fault)
			}
		})
	}
}

// TestOwnClientFetches: nothing configured.
func TestOwnClientFetches(t *testing.T) {
	i := newIssuer(t, "i", "1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, jwks(t, i)) }))
	defer server.Close()
	keys := jwt.New(jwt.Config{})
	defer keys.Close()
	verified(t, compileOn(keys, &security.JWTRule{Issuer: "i", JwksUri: server.URL}), bearer(i.token(t, nil)))
}

// TestNoSecretIsTold: neither tokens nor passwords in URLs show in refusals or reports.
func TestNoSecretIsTold(t *testing.T) {
	i := newIssuer(t, "i", "1")
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	faults := make(chan error, 10)
	keys := jwt.New(jwt.Config{Report: func(err error) { faults <- err }})
	defer keys.Close()
	uri := strings.Replace(server.URL, "://", "://user:geheim@", 1)
	a := compileOn(keys, &security.JWTRule{Issuer: "i", JwksUri: uri + "/keys"}, &security.JWTRule{Issuer: uri})
	token := i.token(t, nil)
	told := fmt.Sprint(<-faults, <-faults)
	req := get(http.Header{"Authorization": {"Bearer " + token}}, "access_token="+token)
	told += fmt.Sprintf("%+v", *refused(t, a, req, fetchFailed))
	for _, secret := range append(strings.Split(token, "."), "geheim") {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told in %s", secret, told)
		}
	}
}
