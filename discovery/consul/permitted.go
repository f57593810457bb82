package consul

import (
	"errors"
	"net/http"

	"github.com/hashicorp/consul/api"
)

var (
	errFiltered  = errors.New("the token may not read all of it")
	errAnonymous = errors.New("there is nothing to be seen without a token")
)

// anonymous is the accessor of whoever has no token.
// https://developer.hashicorp.com/consul/docs/security/acl/tokens#anonymous-token
const anonymous = "00000000-0000-0000-0000-000000000002"

// permitted says whether an answer is all that there is. Consul leaves out what a
// token may not read, and says so; but not to whoever has no token: to him there
// is nothing, where the default policy denies.
func permitted(client *api.Client, meta *api.QueryMeta, o *api.QueryOptions, empty bool) error {
	if meta.ResultsFilteredByACLs {
		return errFiltered
	}
	if !empty || meta.DefaultACLPolicy != "deny" {
		return nil
	}
	self, _, err := client.ACL().TokenReadSelf(new(api.QueryOptions).WithContext(o.Context()))
	if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == http.StatusUnauthorized {
		return nil // ACLs are off, and their default policy means nothing
	}
	if err != nil {
		return errors.Join(errAnonymous, err)
	}
	if self.AccessorID == anonymous {
		return errAnonymous
	}
	return nil
}
