package telemetry

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// The headers by which Istio's proxies tell each other who they are, for labels
// alone: nothing of it is proven. Each side sends its own and reads the other's.
// Services outside the mesh should not be told.
// https://github.com/istio/proxy/tree/master/source/extensions/filters/http/peer_metadata
const (
	MetadataHeader   = "X-Envoy-Peer-Metadata"
	MetadataIDHeader = "X-Envoy-Peer-Metadata-Id" // by which a proxy caches the other
)

// Fields of the metadata.
const (
	fieldNamespace = "NAMESPACE"
	fieldWorkload  = "WORKLOAD_NAME"
	fieldCluster   = "CLUSTER_ID"
	fieldLabels    = "LABELS"
)

// Metadata are the values of the headers for a workload. Make them once: they do
// not change.
func (w Workload) Metadata() (id, value string) {
	labels := texts(serviceLabels[0], w.Service, revisionLabels[0], w.Revision, "app", w.App, "version", w.Version)
	s := texts(fieldNamespace, w.Namespace, fieldWorkload, w.Name, fieldCluster, w.Cluster)
	s.Fields[fieldLabels] = structpb.NewStructValue(labels)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil { // a name that is no UTF-8
		return "", ""
	}
	value = base64.StdEncoding.EncodeToString(raw)
	return "inmesh~" + w.Name + "." + w.Namespace + "~" + w.Revision, value
}

// texts makes a struct of names and values, without what is not known.
func texts(pairs ...string) *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			s.Fields[pairs[i]] = structpb.NewStringValue(pairs[i+1])
		}
	}
	return s
}

// LongestMetadata is the most that is read, in bytes: more than any proxy sends.
const LongestMetadata = 8 << 10

// ParseMetadata reads the value of MetadataHeader.
func ParseMetadata(value string) (Workload, error) {
	if len(value) > LongestMetadata {
		return Workload{}, fmt.Errorf("telemetry: peer metadata: %d bytes: want at most %d", len(value), LongestMetadata)
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		return Workload{}, fmt.Errorf("telemetry: peer metadata: %w", err)
	}
	var s structpb.Struct
	if err := proto.Unmarshal(raw, &s); err != nil {
		return Workload{}, fmt.Errorf("telemetry: peer metadata: %w", err)
	}
	labels := s.Fields[fieldLabels].GetStructValue().GetFields()
	return Workload{
		Name:      s.Fields[fieldWorkload].GetStringValue(),
		Namespace: s.Fields[fieldNamespace].GetStringValue(),
		Cluster:   s.Fields[fieldCluster].GetStringValue(),
		App:       labels["app"].GetStringValue(),
		Version:   labels["version"].GetStringValue(),
		Service:   labels[serviceLabels[0]].GetStringValue(),
		Revision:  labels[revisionLabels[0]].GetStringValue(),
	}, nil
}

// peers remembers what metadata mean: there are about as many as workloads.
type peers struct {
	known sync.Map // string → Workload
	count atomic.Int32
}

// mostPeers bounds what is remembered; what comes later is read each time.
const mostPeers = 1000

// Peer is who the other side of a request says that it is, from the headers of a
// request that came in, or of an answer. The zero Workload: it does not say, or
// not so that it can be understood. The principal is not in it.
func (t *Telemetry) Peer(c Carrier) Workload {
	value := first(c.Header, MetadataHeader)
	if c.Lower {
		value = first(c.Header, strings.ToLower(MetadataHeader))
	}
	if value == "" {
		return Workload{}
	}
	if w, ok := t.peers.known.Load(value); ok {
		return w.(Workload)
	}
	return t.peers.learn(value)
}

func (p *peers) learn(value string) Workload {
	w, err := ParseMetadata(value)
	if err != nil {
		w = Workload{}
	}
	if len(value) <= LongestMetadata && p.count.Load() < mostPeers { // so that it does not come round
		p.count.Add(1)
		p.known.Store(strings.Clone(value), w)
	}
	return w
}
