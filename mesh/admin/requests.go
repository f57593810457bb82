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
	Requests []mesh.Underway `json:"requests"` // secrets masked
}

const maxRequests = 1000

func (a *admin) requests(w http.ResponseWriter, _ *http.Request) {
	all := a.mesh.Underway()
	out := Requests{time.Now(), len(all), all[:min(len(all), maxRequests)]}
	for i := range out.Requests {
		out.Requests[i].Path = mask.Text(out.Requests[i].Path)
	}
	answer(w, out)
}
