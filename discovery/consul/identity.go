package consul

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/consul/api"
)

// identity is what Consul's CA makes of the service that an instance is, or that
// it is the proxy of; "" where the trust domain is unknown.
//
//	spiffe://<trust domain>[/ap/<partition>]/ns/<namespace>/dc/<datacenter>/svc/<service>
//
// https://developer.hashicorp.com/consul/docs/connect/ca#certificate-authority-overview
func identity(instance *api.ServiceEntry, trust string) string {
	if trust == "" {
		return ""
	}
	s := instance.Service
	name := s.Service
	if s.Kind == api.ServiceKindConnectProxy && s.Proxy != nil {
		name = s.Proxy.DestinationServiceName
	}
	partition := ""
	if s.Partition != "" && s.Partition != "default" {
		partition = "/ap/" + s.Partition
	}
	return fmt.Sprintf("spiffe://%s%s/ns/%s/dc/%s/svc/%s",
		trust, partition, cmp.Or(s.Namespace, "default"), instance.Node.Datacenter, name)
}
