package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

const (
	maxTopology   = 8 << 20  // bytes that one instance can have this one read
	maxTopologies = 64 << 20 // and all of them
)

// fetch asks one instance for its topology, of no more bytes than are left.
func (a *admin) fetch(ctx context.Context, url string, left *atomic.Int64) (t Topology, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.Fleet.timeout())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return t, err
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxTopology+1))
	switch {
	case err != nil:
		return t, err
	case resp.StatusCode != http.StatusOK:
		return t, fmt.Errorf("it answered %s", resp.Status)
	case len(text) > maxTopology:
		return t, fmt.Errorf("its topology has more than %d bytes", maxTopology)
	case left.Add(-int64(len(text))) < 0:
		return t, fmt.Errorf("the topologies of all have more than %d bytes", maxTopologies)
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("its topology: %w", err)
	}
	if t.Instance.ID == "" {
		return t, errors.New("its topology does not say whose it is")
	}
	if err := bounded(&t.Graph); err != nil {
		return t, fmt.Errorf("its topology: %w", err)
	}
	return t, nil
}
