package mask

import "strings"

const (
	maxShown = 1 << 10 // bytes of a text that a stranger has sent
	maxRead  = 16 << 10
)

// Short is what masked, Text or Query, makes of a text, shortened to 1 KiB. No more
// than 16 KiB are looked at, for strangers decide how long their texts are.
func Short(s string, masked func(string) string) string {
	if len(s) > maxRead {
		s = s[:maxRead] + end
	}
	if s = masked(s); len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// end makes a token, or the user of a URL, whole that was cut: of half of one nobody
// can tell what it is. It is never shown.
const end = "..@"
