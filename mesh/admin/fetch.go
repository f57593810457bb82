package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxTopology bounds what one instance can have this one read, in bytes.
const maxTopology = 8 << 20

// fetch asks one instance for its topology.
func (a *admin) fetch(ctx context.Context, url string) (t Topology, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
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
