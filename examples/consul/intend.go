package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/consul/api"
)

// intend writes what becomes of productpage's calls of details; nobody else may call
// it. A new cluster takes no intentions for a moment.
func (f *fleet) intend(ctx context.Context, productpage api.IntentionAction) error {
	entry := &api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "details", Sources: []*api.SourceIntention{
		{Name: "productpage", Action: productpage},
		{Name: "*", Action: api.IntentionActionDeny},
	}}
	return until(ctx, "the intentions are written", func() error {
		_, _, err := f.client.ConfigEntries().Set(entry, new(api.WriteOptions).WithContext(ctx))
		return err
	})
}

var errServed = errors.New("productpage is served")

// deny has an intention deny productpage, waits until its page says that details has
// refused it, and takes the intention back.
func (r *reader) deny(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := r.fleet.intend(ctx, api.IntentionActionDeny); err != nil {
		return err
	}
	err := until(ctx, "details refuses productpage", func() error {
		err := get(ctx, r.client, r.fleet.url(), new(answer))
		if answered, ok := errors.AsType[*failure](err); ok && answered.status == http.StatusForbidden {
			return nil
		}
		return errors.Join(errServed, err)
	})
	return errors.Join(err, r.fleet.intend(ctx, api.IntentionActionAllow))
}
