package consul

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"
)

// defaultAllow is what becomes of calls that no intention is about. Proxies go by
// their agent's configuration, so we do: default_intention_policy, else the
// default of ACLs, where they are on.
func (s *IntentionSource) defaultAllow(o *api.QueryOptions) (bool, error) {
	if s.config.Default != "" {
		return allows(s.config.Default)
	}
	var self struct {
		DebugConfig struct {
			DefaultIntentionPolicy *string
			ACLsEnabled            *bool
			ACLResolverSettings    struct{ ACLDefaultPolicy string }
		}
	}
	var raw json.RawMessage
	if _, err := s.client.Raw().Query("/v1/agent/self", &raw, o); err != nil {
		return false, fmt.Errorf("the default policy: %w", err)
	}
	if err := json.Unmarshal(raw, &self); err != nil {
		return false, fmt.Errorf("the default policy: %w", err)
	}
	c := self.DebugConfig
	switch {
	case c.DefaultIntentionPolicy == nil || c.ACLsEnabled == nil:
		return false, errors.New("the default policy: the agent does not say: set IntentionsConfig.Default")
	case *c.DefaultIntentionPolicy != "":
		return allows(api.IntentionAction(*c.DefaultIntentionPolicy))
	case !*c.ACLsEnabled:
		return true, nil
	}
	return allows(api.IntentionAction(c.ACLResolverSettings.ACLDefaultPolicy))
}
