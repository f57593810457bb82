package telemetry

import "cmp"

// A Workload is one end of a call, as Istio's labels describe it. What is ""
// is unknown. It is comparable.
type Workload struct {
	Name      string // of what runs it: the Deployment, or its like
	Namespace string
	App       string // the label app
	Version   string // the label version
	Service   string // Istio's canonical service
	Revision  string // Istio's canonical revision
	Cluster   string // where it runs, for meshes of several clusters
	Principal string // its SPIFFE ID, with spiffe://
}

// Labels by which Istio finds the canonical service and its revision
// (https://github.com/istio/istio/blob/master/pkg/kube/labels/labels.go), the
// one that counts first.
var (
	serviceLabels  = [...]string{"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"}
	revisionLabels = [...]string{"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}
)

// WorkloadOf reads what the labels of a workload, or of an endpoint, say of it.
// Its canonical service is its name where no label says another.
func WorkloadOf(name, namespace string, labels map[string]string) Workload {
	return Workload{
		Name:      name,
		Namespace: namespace,
		App:       labels["app"],
		Version:   labels["version"],
		Service:   cmp.Or(firstOf(labels, serviceLabels[:]), name),
		Revision:  firstOf(labels, revisionLabels[:]),
	}
}

func firstOf(labels map[string]string, keys []string) string {
	for _, key := range keys {
		if v := labels[key]; v != "" {
			return v
		}
	}
	return ""
}
