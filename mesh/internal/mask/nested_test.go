package mask_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

// TestWhatStrangersSendIsMaskedInOnePass: a header of a megabyte, which anybody may
// send, takes no stack and no time beyond its length.
func TestWhatStrangersSendIsMaskedInOnePass(t *testing.T) {
	long := strings.Repeat("a=?", 1<<18) + "token=abc"
	for name, masked := range map[string]string{"query": mask.Query(long), "text": mask.Text("?" + long)} {
		if !strings.HasSuffix(masked, "?token=***") {
			t.Errorf("%s: …%s", name, masked[len(masked)-20:])
		}
	}
}
