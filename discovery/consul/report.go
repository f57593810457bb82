package consul

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
)

// A Report says which rules a subscriber goes by. It lasts as long as the
// subscriber lives, and half a minute more.
type Report struct {
	Subscriber string `json:"subscriber"`
	// Version is that of the rules in force, a rules.Set's; "" for none yet.
	Version string `json:"version"`
	// Since is when they came into force.
	Since time.Time `json:"since"`
	// Rejected is why newer rules are not in force; "" where they are.
	Rejected string `json:"rejected,omitempty"`
}

// Reports are those of all subscribers to the rules under a prefix, by name.
func Reports(ctx context.Context, client *api.Client, prefix string) ([]Report, error) {
	pairs, _, err := client.KV().List(newFolder(prefix).reports(), new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("consul: reports: %w", err)
	}
	var out []Report
	var faults []error
	for _, p := range pairs {
		var r Report
		if err := json.Unmarshal(p.Value, &r); err != nil {
			faults = append(faults, fmt.Errorf("consul: report %s: %w", p.Key, err))
			continue
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Report) int { return cmp.Compare(a.Subscriber, b.Subscriber) })
	return out, errors.Join(faults...)
}
