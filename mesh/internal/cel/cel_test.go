package cel_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what the expressions of tests are asked about.
type request map[string]cel.Value

func (r request) Attribute(name string) cel.Value { return r[name] }

type headers map[string]string

func (h headers) Lookup(key string) (string, bool) {
	v, ok := h[key]
	return v, ok
}

var sample = request{
	"request.path":     cel.String("/v1/items?x=1"),
	"request.host":     cel.String("reviews"),
	"request.headers":  cel.Of(headers{"x-debug": "on", "accept": "text/html"}),
	"request.duration": cel.Duration(1500 * time.Millisecond),
	"response.code":    cel.Int(503),
	"response.flags":   cel.Int(0x20),
	"connection.mtls":  cel.Bool(true),
	"test.ratio":       cel.Double(0.5),
}

func TestExpressions(t *testing.T) {
	for expression, want := range map[string]string{
		// The examples of Istio's documentation.
		`response.code >= 400`:                                                     "true",
		`connection.mtls && request.path.contains('v1')`:                           "true",
		`request.headers['x-debug'] == "on"`:                                       "true",
		`!has(response.grpc_status)`:                                               "true",
		`response.code == 503 && response.flags == 32`:                             "true",
		`has(request.headers) && 'x-debug' in request.headers ? 'debug' : 'plain'`: "debug",

		`1 + 2 * 3 - 4 / 2 % 3`: "5",
		`(1 + 2) * 3`:           "9",
		`-2 - -3`:               "1",
		`7 / 2`:                 "3",
		`-7 / 2`:                "-3",
		`-7 % 3`:                "-1",
		`7.0 / 2.0`:             "3.5",
		`1.0 + 0.5`:             "1.5",
		`double(1) + 0.5`:       "1.5",
		`0x1F`:                  "31",
		`012`:                   "12",
		`5u`:                    "5",
		`1e3`:                   "1000",
		`1.5e-3`:                "0.0015",
		`1 == 1.0`:              "true",
		`'a' + "b" + r'\n'`:     `ab\n`,
		`'\x41\u00e9\101\n'`:    "A\u00e9A\n",
		`'''it's'''`:            "it's",
		`"a" < "b"`:             "true",
		`false < true`:          "true",
		`1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2 && 1 != 2`: "true",
		`1 in [1, 2] && !(3 in [1, 2])`:                "true",
		`[1, 2][1]`:                                    "2",
		`[1] + [2] == [1, 2]`:                          "true",
		`true ? 'a' : 'b'`:                             "a",
		`false ? 'a' : false ? 'b' : 'c'`:              "c",
		`1 == 'a'`:                                     "false",
		`null == null`:                                 "true",
		`request.duration > duration('1s')`:            "true",
		`request.duration - duration('2562047h') - duration('2562047h')`: "error",
		`request.duration + duration('2562047h47m16s')`:                  "error",
		`request.duration + duration('500ms')`:                           "2s",
		`test.ratio * 2.0`:                                               "1",
		`size('h\u00e9')`:                                                "2",
		`'abc'.size() + [1].size()`:                                      "4",
		`string(response.code)`:                                          "503",
		`int('42') + int(1.9)`:                                           "43",
		`double('1.5')`:                                                  "1.5",
		`bool('true')`:                                                   "true",
		`request.path.startsWith('/v1')`:                                 "true",
		`request.path.endsWith('1')`:                                     "true",
		`request.path.matches('^/v[0-9]/')`:                              "true",
		`matches(request.path, 'items')`:                                 "true",
		"1 + // one\n 1":                                                 "2",

		// What is not there.
		`has(request.headers.accept)`:                       "true",
		`has(request.headers.none)`:                         "false",
		`request.headers['none'] == 'x'`:                    "error",
		`node.id == 'x'`:                                    "error",
		`has(response.grpc_status) && x.y`:                  "false",
		`!has(nothing.none)`:                                "true",
		`string(request.headers)`:                           "error",
		`request.host.nothing`:                              "error",
		`response.code == 503 || request.headers['x'] == 1`: "true",
		`request.headers['x'] == 1 || response.code == 503`: "true",
		`response.code == 200 && x.y`:                       "false",
		`x.y && response.code == 200`:                       "false",
		`x.y || response.code == 200`:                       "error",
		`response.code`:                                     "503",

		// What has no result.
		`-9223372036854775808`:        "-9223372036854775808",
		`-9223372036854775808 + 1`:    "-9223372036854775807",
		`-(-9223372036854775807 - 1)`: "error",
		`0xFFu`:                       "255",
		`-0x8000000000000000`:         "-9223372036854775808",
		`- 5`:                         "-5",
		`--5`:                         "5",
		`1 / 0`:                       "error",
		`1 % 0`:                       "error",
		`9223372036854775807 + 1`:     "error",
		`1 + 0.5`:                     "error",
		`2.0 * 2`:                     "error",
		`2.0 % 2.0`:                   "error",
		`-9223372036854775807 - 2`:    "error",
		`9223372036854775807 * 2`:     "error",
		`4611686018427387904 * -2`:    "-9223372036854775808",
		`1 + 'a'`:                     "error",
		`1 < 'a'`:                     "error",
		`!1`:                          "error",
		`-'a'`:                        "error",
		`1 && true`:                   "error",
		`1 ? 2 : 3`:                   "error",
		`[1][1]`:                      "error",
		`'a'.matches('(')`:            "error",
		`int('x')`:                    "error",
		`duration('x')`:               "error",
		`1.5 % 2.0`:                   "error",
		`1.5 % 2`:                     "error",
	} {
		p, err := cel.Parse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		v := p.Eval(sample)
		got, ok := v.Text()
		if !ok {
			got = "error"
		}
		if got != want || (want == "error") != (v.Err() != nil) && expression != `string(request.headers)` {
			t.Errorf("%s: got %s (%v), want %s", expression, got, v.Err(), want)
		}
		if v.IsTrue() != (want == "true") {
			t.Errorf("%s: IsTrue is %t", expression, v.IsTrue())
		}
	}
}

func TestWhatIsNoExpression(t *testing.T) {
	for expression, want := range map[string]string{
		``:                       "column 1: the end: want a value",
		`(((`:                    "column 4: the end: want a value",
		`1 +`:                    "column 4: the end: want a value",
		`1 2`:                    `column 3: "2": want the end`,
		`'a`:                     "column 3: a string is not closed",
		"'a\n'":                  "column 3: a string is not closed",
		`'\q'`:                   `column 2: no such escape: \q`,
		`'\uD800'`:               `column 2: no such character: \uD800`,
		`a.b(`:                   "column 5: the end: want a value",
		`x.f()`:                  "f: no such function",
		`nothing(1)`:             "nothing: no such function",
		`'a'.int()`:              "int: no such function",
		`size()`:                 "size: 0 arguments: want 1",
		`has()`:                  `column 5: ")": want a value`,
		`has(a.b, c.d)`:          `column 8: ",": want ")"`,
		`has(a['b'])`:            "column 11: has: want a name with a dot",
		`has(a)`:                 "column 6: has: want a name with a dot",
		`has(a.b == c.d)`:        `column 9: "==": want ")"`,
		`has(a.b())`:             "b: no such function",
		`has('.a')`:              "column 9: has: want a name with a dot",
		`1. + 2.0`:               `column 1: "1.": want a number`,
		`true ? 1`:               "column 9: the end: want \":\"",
		`[1, 2`:                  "column 6: the end: want \"]\"",
		`1 = 2`:                  `column 3: unexpected "="`,
		`a @ b`:                  `column 3: unexpected "@"`,
		`1x`:                     `column 1: "1x": want a number`,
		`1_000`:                  `column 1: "1_000": want a number`,
		`9223372036854775808`:    `column 1: "9223372036854775808": want a number`,
		`0b11`:                   `column 1: "0b11": want a number`,
		`0o17`:                   `column 1: "0o17": want a number`,
		`0x_1`:                   `column 1: "0x_1": want a number`,
		`1.5u`:                   `column 1: "1.5u": want a number`,
		`1uu`:                    `column 1: "1uu": want a number`,
		`a..b`:                   `column 3: ".": want a name`,
		`in`:                     `column 3: "in": want a value`,
		`request.headers.all(x)`: "all: no such function",
		strings.Repeat("(", 60):  "more than 50 levels deep",
		strings.Repeat("!", 60):  "more than 50 levels deep",
		strings.Repeat(" ", 5e3): "5000 bytes long: want at most 4096",
	} {
		if _, err := cel.Parse(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, want %s", expression, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	p, err := cel.Parse(`a.b && has(c.d.e) || f['x'] == 1 || true`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Names(), " "); got != "a.b c.d f" {
		t.Errorf("got %s, want a.b c.d f", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`response.code >= 400 && 'x' in request.headers`, `'\x41' + r"b" ? [1][0] : -1.5e3`, `has(a.b)`, `'''a'''`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := cel.Parse(s)
		if err != nil {
			return
		}
		v := p.Eval(sample)
		if _, ok := v.Text(); ok && v.Err() != nil {
			t.Errorf("%q: both a value and %v", s, v.Err())
		}
	})
}

func BenchmarkEval(b *testing.B) {
	p, err := cel.Parse(`response.code >= 500 || request.headers['x-debug'] == 'on'`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Eval(sample)
	}
}

func ExampleParse() {
	p, err := cel.Parse(`response.code >= 500 || request.headers['x-debug'] == 'on'`)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Eval(sample).IsTrue())
	// Output:
	// true
}
