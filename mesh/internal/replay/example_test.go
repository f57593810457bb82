package replay_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

func ExampleNew() {
	body := replay.New(io.NopCloser(strings.NewReader("an order")), nil, 8, 64<<10)
	defer body.Close() // nothing more to do after Finish

	first, _ := body.Next()
	half := make([]byte, 4)
	n, _ := first.Read(half)
	fmt.Printf("first attempt: %q, then the connection broke\n", half[:n])

	second, _ := body.Next()
	all, _ := io.ReadAll(second)
	fmt.Printf("second attempt: %q\n", all)

	body.Finish()
	second.Close()
	// Output:
	// first attempt: "an o", then the connection broke
	// second attempt: "an order"
}
