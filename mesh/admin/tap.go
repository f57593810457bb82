package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

const (
	maxTaps    = 16
	tapBuffer  = 1024
	tapBeat    = 10 * time.Second // between signs of life
	tapTimeout = 30 * time.Second // of one write to a reader that does not read
)

// A TapStatus is the data of the events hello, beat and bye of /api/tap.
type TapStatus struct {
	Dropped uint64 `json:"dropped"` // requests that the reader was too slow for
}

// tap streams requests as they end, as server-sent events.
func (a *admin) tap(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead { // nobody reads what would come, or hangs up
		return
	}
	select {
	case a.taps <- struct{}{}:
		defer func() { <-a.taps }()
	default:
		http.Error(w, fmt.Sprintf("%d taps are open; there cannot be more", maxTaps), http.StatusServiceUnavailable)
		return
	}
	t := a.mesh.Tap(filter, tapBuffer)
	defer t.Close()
	(&stream{w: w, control: http.NewResponseController(w), tap: t}).run(r.Context())
}

// A stream is one reader's.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	tap     *mesh.Tap
}

// run ends with the reader, or with the Mesh.
func (s *stream) run(ctx context.Context) {
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }() // the connection may carry another request
	err := s.status("hello")
	for err == nil {
		var e mesh.TapEvent
		e, err = s.next(ctx)
		switch {
		case err == nil:
			err = s.send("request", e)
		case errors.Is(err, mesh.ErrTapClosed):
			_ = s.status("bye")
		case ctx.Err() == nil: // a while without a request
			err = s.status("beat")
		}
	}
}

func (s *stream) next(ctx context.Context) (mesh.TapEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, tapBeat)
	defer cancel()
	return s.tap.Next(ctx)
}

func (s *stream) status(event string) error { return s.send(event, TapStatus{s.tap.Dropped()}) }

// send writes one event. JSON has no line breaks, which would end it.
func (s *stream) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(tapTimeout)) // not every ResponseWriter has one
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.control.Flush()
}

// filterOf reads the parameters direction, service, method, path, status and
// failed.
func filterOf(r *http.Request) (f mesh.TapFilter, err error) {
	q, err := asked(r)
	if err != nil {
		return f, err
	}
	f = mesh.TapFilter{Direction: q.Get("direction"), Service: q.Get("service"), Method: q.Get("method"), Path: q.Get("path")}
	switch f.Direction {
	case "", "outbound", "inbound":
	default:
		return f, fmt.Errorf("direction: %.20q is neither outbound nor inbound", f.Direction)
	}
	if text := q.Get("status"); text != "" {
		if f.MinStatus, err = strconv.Atoi(text); err != nil || f.MinStatus < 0 || f.MinStatus > 599 {
			return f, fmt.Errorf("status: %.20q is no number of 0 to 599", text)
		}
	}
	f.Failed, err = flag(q, "failed")
	return f, err
}
