package discovery_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
)

// A registryFile writes the File format.
type registryFile struct {
	t        *testing.T
	path     string
	services map[string][]map[string]string
	broken   bool
}

func newRegistryFile(t *testing.T) *registryFile {
	r := &registryFile{t: t, path: filepath.Join(t.TempDir(), "services.json"), services: map[string][]map[string]string{}}
	r.write()
	return r
}

// write replaces the file as an editor does: a new file, renamed over the old.
func (r *registryFile) write() {
	r.t.Helper()
	text, err := json.Marshal(map[string]any{"services": r.services})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.broken {
		text = text[:len(text)-1]
	}
	writeFile(r.t, r.path+".new", string(text))
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *registryFile) set(host string, endpoints []discovery.Endpoint) {
	r.services[host] = []map[string]string{}
	for _, e := range endpoints {
		r.services[host] = append(r.services[host], map[string]string{"address": e.Address})
	}
	r.write()
}

func TestFileConforms(t *testing.T) {
	discoverytest.RunPaused(t, func(t *testing.T) discoverytest.Harness {
		r := newRegistryFile(t)
		file, err := discovery.NewFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		return discoverytest.Harness{
			Source: file,
			Set:    r.set,
			Remove: func(host string) { delete(r.services, host); r.write() },
			Break:  func() { r.broken = true; r.write() },
			Heal:   func() { r.broken = false; r.write() },
		}
	})
}

const complete = `
{"services": {
  "reviews": [
    {"address": "127.0.0.1:9081", "labels": {"version": "v1"}, "locality": "eu/a", "weight": 2, "health": "draining", "identity": "spiffe://example.com/reviews"},
    {"address": "unix:///run/reviews.sock"}
  ],
  "empty": []
}}
`

func TestFileReadsEveryField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	writeFile(t, path, complete)
	file, _ := discovery.NewFile(path)
	got, err := firstAnswer(t, file, discovery.Service{Host: "reviews"})
	want := []discovery.Endpoint{{
		Address:  "127.0.0.1:9081",
		Labels:   map[string]string{"version": "v1"},
		Locality: discovery.Locality{Region: "eu", Zone: "a"},
		Weight:   2,
		Health:   discovery.Draining,
		Identity: "spiffe://example.com/reviews",
	}, {Address: "unix:///run/reviews.sock"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := firstAnswer(t, file, discovery.Service{Host: "empty"}); len(got) != 0 || err != nil {
		t.Errorf("empty: got %v, %v", got, err)
	}
}

func TestFileFaultsNameTheirLines(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", "{\n\"services\": {\n]", "line 3: invalid character ']'"},
		{"cut off", "{\"services\":\n", "line 2: unexpected end of JSON input"},
		{"nothing", "", "line 1: unexpected end of JSON input"},
		{"a second document", "{\"services\": {}}\n{}", "line 2: invalid character '{'"},
		{"not an object", "[]", "line 1: file: want an object, got an array"},
		{"null", "null", "line 1: file: want an object, got null"},
		{"no services", "{}", `line 1: file: want a "services" object`},
		{"unknown field on top", "{\"services\": {},\n\"service\": {}}", `line 2: file: unknown field "service"`},
		{"duplicate service", "{\"services\": {\n\"a\": [],\n\"a\": []}}", `line 3: services: field "a" stands twice`},
		{"bad name", "{\"services\": {\n\"A b\": []}}", `line 2: service "A b": want a host name`},
		{"not an array", "{\"services\": {\n\"a\": {}}}", `line 2: service "a": want an array, got an object`},
		{"unknown field", "{\"services\": {\"a\": [\n{\"adress\": 1}]}}", `line 2: service "a": endpoint 0: unknown field "adress"`},
		{"another case", "{\"services\": {\"a\": [\n{\"Address\": \"a:1\"}]}}", `line 2: service "a": endpoint 0: unknown field "Address"`},
		{"duplicate field", "{\"services\": {\"a\": [{\n\"weight\": 1,\n\n\"weight\": 1}]}}", `line 4: service "a": endpoint 0: field "weight" stands twice`},
		{"wrong type", "{\"services\": {\"a\": [{\"weight\":\n\"1\"}]}}", `line 2: service "a": endpoint 0: weight: want a whole number from 0 to 4294967295, got "1"`},
		{"fraction", "{\"services\": {\"a\": [{\"weight\": 1.5}]}}", `weight: want a whole number from 0 to 4294967295, got 1.5`},
		{"null field", "{\"services\": {\"a\": [{\"address\": null}]}}", `address: want a value, got null`},
		{"wrong label type", "{\"services\": {\"a\": [{\"labels\": {\"x\": 1}}]}}", `labels: x: want a string, got 1`},
		{"health", "{\"services\": {\"a\": [{\n\"health\": \"ill\"}]}}", `line 2: health "ill": want healthy, unhealthy or draining`},
		{"locality", "{\"services\": {\"a\": [{\n\"locality\": \"a/b/c/d\"}]}}", `line 2: locality "a/b/c/d"`},
		{"no address", "{\"services\": {\n\"a\": [{}]}}", `line 2: service "a": endpoint 0: address ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "services.json")
			writeFile(t, path, test.text)
			file, _ := discovery.NewFile(path)
			_, err := firstAnswer(t, file, discovery.Service{Host: "a"})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("want %s\ngot  %v", test.want, err)
			}
		})
	}
}

func TestFileTellsAllFaultsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	writeFile(t, path, "{\"services\": {\"a\": [{\"weight\": -1}],\n\"b\": 1,\n\"c\": [{\"x\": 1}]}}")
	file, _ := discovery.NewFile(path)
	_, err := firstAnswer(t, file, discovery.Service{Host: "a"})
	for _, want := range []string{"line 1:", "line 2:", "line 3:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in %v", want, err)
		}
	}
}

func TestFileFollowsASymlinkSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, version := range []string{"1", "2"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, version, "s.json"), `{"services": {"a": [{"address": "10.0.0.`+version+`:80"}]}}`)
		}
		link := func(version string) {
			if err := os.Symlink(version, filepath.Join(dir, "..new")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		link("1")
		file, _ := discovery.NewFile(filepath.Join(dir, "..data", "s.json"))
		l := listen(t, file, discovery.Service{Host: "a"})
		l.want("10.0.0.1:80")
		link("2")
		time.Sleep(time.Second)
		l.want("10.0.0.2:80")
	})
}

func TestAMissingFileIsToldOnceAndPickedUpWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "services.json")
		file, _ := discovery.NewFile(path)
		l := listen(t, file, discovery.Service{Host: "reviews"})
		l.want("error: discovery file " + path + ": open " + path + ": no such file or directory")
		time.Sleep(time.Minute)
		l.want()
		writeFile(t, path, complete)
		time.Sleep(time.Second)
		l.want("127.0.0.1:9081 unix:///run/reviews.sock")
	})
}

func TestTheLastGoodContentStandsWhileTheFileIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "services.json")
		writeFile(t, path, complete)
		file, _ := discovery.NewFile(path)
		s := discovery.Service{Host: "reviews"}
		l := listen(t, file, s)
		l.want("127.0.0.1:9081 unix:///run/reviews.sock")
		writeFile(t, path, "x")
		time.Sleep(time.Second)
		bad := "error: discovery file " + path + ": line 1: invalid character 'x' looking for beginning of value"
		l.want(bad)
		listen(t, file, s).want("127.0.0.1:9081 unix:///run/reviews.sock", bad)
		writeFile(t, path, complete)
		time.Sleep(time.Second)
		l.want("127.0.0.1:9081 unix:///run/reviews.sock")
	})
}

func TestNewFileWantsAPath(t *testing.T) {
	if _, err := discovery.NewFile(""); err == nil {
		t.Error("an empty path was accepted")
	}
}
