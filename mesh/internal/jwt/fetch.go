package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 1 << 20
	// maxRedirects bounds those of one fetch.
	maxRedirects = 3
	// discoveryPath: "OpenID Providers supporting Discovery MUST make a JSON
	// document available at the path formed by concatenating the string
	// /.well-known/openid-configuration to the Issuer."
	// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
	discoveryPath = "/.well-known/openid-configuration"
)

// A fetcher gets small documents by HTTP.
type fetcher struct{ client *http.Client }

func newFetcher(base *http.Client) fetcher {
	var client http.Client
	if base != nil {
		client = *base
	}
	if client.Transport == nil {
		// A fetch every few minutes has no use for an idle connection.
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	client.CheckRedirect = checkRedirect
	return fetcher{&client}
}

// checkRedirect: keys that came through http could be anybody's.
func checkRedirect(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return checkStep(via[len(via)-1].URL, to.URL)
}

func checkStep(from, to *url.URL) error {
	if to.Scheme != "https" && (to.Scheme != "http" || from.Scheme == "https") {
		return fmt.Errorf("led from %s to %s", from.Redacted(), to.Redacted())
	}
	return nil
}

// keys fetches the key set that id stands for.
func (f fetcher) keys(ctx context.Context, id sourceID) (*keySet, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, id.timeout)
	defer cancel()
	uri, err := f.locate(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	data, err := f.get(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	keys, s := parseKeySet(data)
	if s != valid {
		return nil, nil, fmt.Errorf("GET %s: %s", redacted(uri), s)
	}
	return keys, data, nil
}

func (f fetcher) locate(ctx context.Context, id sourceID) (string, error) {
	if id.uri != "" {
		return id.uri, nil
	}
	at := strings.TrimSuffix(id.issuer, "/") + discoveryPath
	data, err := f.get(ctx, at)
	if err != nil {
		return "", err
	}
	var document struct {
		URI string `json:"jwks_uri"`
	}
	if json.Unmarshal(data, &document) != nil || document.URI == "" {
		return "", fmt.Errorf("%s: no JSON object with a string jwks_uri", redacted(at))
	}
	return document.URI, checkLink(at, document.URI)
}

func checkLink(from, to string) error {
	start, err := url.Parse(from)
	if err != nil {
		return errors.New("a URL that cannot be parsed")
	}
	end, err := url.Parse(to)
	if err != nil {
		return fmt.Errorf("%s: its jwks_uri is no URL", redacted(from))
	}
	return checkStep(start, end)
}

func (f fetcher) get(ctx context.Context, uri string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: no URL", redacted(uri))
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %s", redacted(uri), resp.Status)
	}
	return readBody(resp.Body, uri)
}

func readBody(body io.Reader, uri string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", redacted(uri), err)
	}
	if len(data) > maxBody {
		return nil, fmt.Errorf("GET %s: longer than %d bytes", redacted(uri), maxBody)
	}
	return data, nil
}

// redacted is a URL without its password, for errors.
func redacted(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "a URL that cannot be parsed"
	}
	return u.Redacted()
}
