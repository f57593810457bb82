package mesh_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// hosts serves the secret to requests that are for admin.example.
func hosts() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("admin.example/", reveals(always))
	mux.Handle("/", reveals(func(r *http.Request) bool {
		for _, host := range append(r.Header["Host"], r.Host, r.URL.Host) {
			name, _, _ := strings.Cut(strings.ToLower(host), ":")
			if u, err := url.Parse("http://" + host); err == nil && strings.EqualFold(u.Hostname(), "admin.example") {
				return true
			}
			if strings.TrimSuffix(name, ".") == "admin.example" {
				return true
			}
		}
		return false
	}))
	return mux
}

// No spelling of a host leads a handler to what the policies protect.
func TestNoSpellingOfAHostGetsPastThePolicies(t *testing.T) {
	b := open(t, nil, hosts())
	protections := []string{
		authorization("protect", "{action: DENY, rules: [{to: [{operation: {hosts: [admin.example]}}]}]}"),
		authorization("protect", "{rules: [{to: [{operation: {hosts: [public.example]}}]}]}"),
		authorization("protect", "{rules: [{to: [{operation: {notHosts: [admin.example]}}]}]}"),
		authorization("protect", "{rules: [{to: [{operation: {hosts: ['*.public.example']}}]}]}"),
		authorization("protect", "{action: DENY, rules: [{to: [{operation: {notHosts: ['*.public.example']}}]}]}"),
	}
	requests := [][]string{}
	for _, host := range []string{"admin.example", "ADMIN.example", "admin.example:80", "Admin.Example:9080", "admin.example.", "admin.example.:80", "admin.example:", "public.example:80@admin.example", "admin.example:80:80", " admin.example", "[admin.example]:80", "[admin.example]", "[public.example]admin.example:80", "admin.example:80.public.example", "admin.example:.public.example"} {
		requests = append(requests, []string{"GET / HTTP/1.1", "Host: " + host}, []string{"GET http://" + host + "/ HTTP/1.1", "Host: public.example"},
			[]string{"GET http://public.example/ HTTP/1.1", "Host: " + host}, []string{"GET / HTTP/1.1", "Host: public.example", "Host: " + host},
			[]string{"CONNECT " + host + " HTTP/1.1", "Host: public.example"}, []string{"GET //" + host + "/ HTTP/1.1", "Host: public.example"},
			[]string{"GET http://public.example@" + host + "/ HTTP/1.1", "Host: public.example"})
	}
	l := &line{t: t, address: b.address}
	defer l.hangUp()
	leak := func() (found []string) {
		for _, r := range requests {
			if _, body := l.say(r...); strings.Contains(body, secret) {
				found = append(found, strings.Join(r, ", "))
			}
		}
		return found
	}
	if found := leak(); len(found) < 20 {
		t.Errorf("without a policy only %q lead to the secret", found)
	}
	for _, documents := range protections {
		b.obey(documents)
		if found := leak(); found != nil {
			t.Errorf("%s: these lead to the secret: %q", documents, found)
		}
	}
}

// askHTTP2 sends one request in plain frames and returns its status, of those
// that HPACK has a number for: 200 and 400; 0 for others.
func askHTTP2(t *testing.T, address string, fields ...string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var block bytes.Buffer
	for i := 0; i < len(fields); i += 2 { // RFC 7541 §6.2.2: literals that are not indexed
		block.WriteByte(0)
		for _, s := range fields[i : i+2] {
			block.WriteByte(byte(len(s)))
			block.WriteString(s)
		}
	}
	const headers, reset, goAway, endOfAll = 1, 3, 7, 0x1 | 0x4
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	_, _ = conn.Write(append(append([]byte{0, 0, byte(block.Len()), headers, endOfAll}, 0, 0, 0, 1), block.Bytes()...))
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return 0
		}
		payload := make([]byte, binary.BigEndian.Uint32(append([]byte{0}, head[:3]...)))
		if _, err := io.ReadFull(conn, payload); err != nil {
			return 0
		}
		switch head[3] {
		case headers:
			return map[byte]int{0x88: 200, 0x8c: 400}[payload[0]]
		case reset, goAway: // net/http itself finds it malformed
			return 400
		}
	}
}

// HTTP/2 has two places for a host and lets a path be a URL: where they disagree
// nobody knows what the handler takes.
func TestHTTP2RequestsWithTwoHostsAreRefused(t *testing.T) {
	b := open(t, nil, hello)
	for _, c := range []struct {
		authority, path string
		more            []string
		want            int
	}{
		{"reviews", "/", nil, 200},
		{"reviews", "/", []string{"host", "reviews"}, 200},
		{"reviews", "/", []string{"host", "REVIEWS"}, 200},
		{"reviews", "/", []string{"host", "admin"}, 400},
		{"reviews", "http://reviews/a", nil, 200},
		{"reviews", "http://admin/a", nil, 400},
		{"reviews", "http:a", nil, 400},
		{"reviews", "/a#b", nil, 400},
		{"reviews@admin", "/", nil, 400},
		{"reviews:80:80", "/", nil, 400},
		{"[::1]:80", "/", nil, 200},
		{"[::1]", "/", nil, 200},
		{"[fe80::1%25eth0]:80", "/", nil, 200},
		{"[admin]:80", "/", nil, 400},
		{"[::1]admin", "/", nil, 400},
		{"[::1]:80]", "/", nil, 400},
		{"admin]:80", "/", nil, 400},
		{"admin ", "/", nil, 400},
		{"reviews", "*", nil, 400},
	} {
		fields := append([]string{":method", "GET", ":scheme", "http", ":authority", c.authority, ":path", c.path}, c.more...)
		if got := askHTTP2(t, b.address, fields...); got != c.want {
			t.Errorf("%q: %d, want %d", fields, got, c.want)
		}
	}
}
