package mask_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

// TestWhatStrangersSendIsMaskedInOnePass: a long header, which anybody may
// send, takes no stack and no time beyond its length.
func TestWhatStrangersSendIsMaskedInOnePass(t *testing.T) {
	long := strings.Repeat("a=?", 1<<14) + "token=abc"
	for name, masked := range map[string]string{"query": mask.Query(long), "text": mask.Text("?" + long)} {
		if !strings.HasSuffix(masked, "?token=***") {
			t.Errorf("%s: …%s", name, masked[len(masked)-20:])
		}
	}
}

// TestLongTextsAreCutAndStillMasked: of half a secret nobody can tell what it is, so
// that what is cut keeps nothing of it.
func TestLongTextsAreCutAndStillMasked(t *testing.T) {
	long := strings.Repeat("s3cr3t", 1<<12)
	for _, text := range []string{
		"eyJhbGciOi." + long + "." + long, "Bearer " + long, "https://" + long + "@host/", "?token=" + long,
		"-----BEGIN PRIVATE KEY-----" + long,
	} {
		if got := mask.Short(text, mask.Text); strings.Contains(got, "s3cr3t") || !strings.Contains(got, "***") {
			t.Errorf("%.30s…: %.100s", text, got)
		}
	}
	if got := mask.Short("token="+long, mask.Query); strings.Contains(got, "s3cr3t") {
		t.Errorf("%.100s", got)
	}
	for _, text := range []string{strings.Repeat("€", 1<<15), "short"} {
		if got := mask.Short(text, mask.Text); len(got) > 1<<10+3 || !utf8.ValidString(got) || !strings.HasPrefix(got, text[:3]) {
			t.Errorf("%d bytes: %.100q", len(got), got)
		}
	}
}
