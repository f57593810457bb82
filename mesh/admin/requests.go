package admin

import (
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

// Requests is the answer of /api/requests: what is under way, the oldest first.
type Requests struct {
	At       time.Time       `json:"at"`
	Total    int             `json:"total"`    // of which the oldest 1000 are listed
	Requests []mesh.Underway `json:"requests"` // secrets masked, texts of more than 1 KiB shortened
}

const maxRequests = 1000

func (a *admin) requests(w http.ResponseWriter, _ *http.Request) {
	all := a.mesh.Underway()
	out := Requests{time.Now(), len(all), all[:min(len(all), maxRequests)]}
	for i := range out.Requests {
		u := &out.Requests[i]
		u.Method, u.Host, u.Path = mask.Short(u.Method, mask.Text), mask.Short(u.Host, mask.Text), mask.Short(u.Path, mask.Text)
	}
	answer(w, out)
}
