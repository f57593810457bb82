package replay_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

func TestErrTellsHowTheOriginalFailed(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("some"), iotest.ErrReader(io.ErrClosedPipe))
	for name, c := range map[string]struct {
		body io.ReadCloser
		want error
	}{
		"no body":       {nil, nil},
		"read whole":    {io.NopCloser(strings.NewReader("all")), nil},
		"breaks midway": {io.NopCloser(broken), io.ErrClosedPipe},
	} {
		t.Run(name, func(t *testing.T) {
			b := replay.New(c.body, nil, -1, 100)
			defer func() { _ = b.Close() }()
			if b.Err() != nil {
				t.Errorf("Err() = %v before anything was read", b.Err())
			}
			r, err := b.Next()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r)
			if b.Err() != c.want {
				t.Errorf("Err() = %v, want %v", b.Err(), c.want)
			}
		})
	}
}
