package main

import (
	"fmt"
	"net"
	"strconv"
	"time"

	clusterpb "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corepb "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointpb "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerpb "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routepb "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerpb "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerpb "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoverypb "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// xdsGRPC is grpc-go as a mesh of its own, by xDS: retries, a timeout, outlier
// detection and limits, as the mesh has them by its rules, and telemetry.
func xdsGRPC(to *server) (grpcSide, error) {
	tells, err := tellXDS(resources(to.grpc))
	if err != nil {
		return grpcSide{}, err
	}
	builder, err := xds.NewXDSResolverWithConfigForTesting(fmt.Appendf(nil, `{"node": {"id": "bench"}, "xds_servers": [
		{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}]}`, tells.address))
	if err != nil {
		tells.server.Stop()
		return grpcSide{}, err
	}
	conn, err := grpc.NewClient("xds:///reviews", grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()), observed())
	if err != nil {
		tells.server.Stop()
		return grpcSide{}, err
	}
	return grpcSide{conn: conn, close: func() {
		_ = conn.Close()
		tells.server.Stop()
	}}, nil
}

// A teller is an xDS server whose resources never change.
type teller struct {
	discoverypb.UnimplementedAggregatedDiscoveryServiceServer
	resources []proto.Message
	server    *grpc.Server
	address   string
}

func tellXDS(resources []proto.Message) (*teller, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &teller{resources: resources, server: grpc.NewServer(), address: lis.Addr().String()}
	discoverypb.RegisterAggregatedDiscoveryServiceServer(t.server, t)
	go func() { _ = t.server.Serve(lis) }()
	return t, nil
}

// StreamAggregatedResources implements discoverypb.AggregatedDiscoveryServiceServer.
func (t *teller) StreamAggregatedResources(s discoverypb.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	for {
		asked, err := s.Recv()
		if err != nil {
			return err
		}
		if asked.ErrorDetail != nil {
			return fmt.Errorf("%s: %s", asked.TypeUrl, asked.ErrorDetail.Message)
		}
		if asked.ResponseNonce != "" { // it has them
			continue
		}
		if err := s.Send(t.answer(asked.TypeUrl)); err != nil {
			return err
		}
	}
}

func (t *teller) answer(kind string) *discoverypb.DiscoveryResponse {
	out := &discoverypb.DiscoveryResponse{TypeUrl: kind, VersionInfo: "1", Nonce: "1"}
	for _, r := range t.resources {
		if a := packed(r); a.TypeUrl == kind {
			out.Resources = append(out.Resources, a)
		}
	}
	return out
}

func packed(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err) // of messages that are written below
	}
	return a
}

// resources are what world says, in xDS.
func resources(addresses []string) []proto.Message {
	manager := &managerpb.HttpConnectionManager{
		RouteSpecifier: &managerpb.HttpConnectionManager_RouteConfig{RouteConfig: routes()},
		HttpFilters: []*managerpb.HttpFilter{{
			Name: "router", ConfigType: &managerpb.HttpFilter_TypedConfig{TypedConfig: packed(new(routerpb.Router))},
		}},
	}
	return []proto.Message{
		&listenerpb.Listener{Name: "reviews", ApiListener: &listenerpb.ApiListener{ApiListener: packed(manager)}},
		cluster(), endpoints(addresses),
	}
}

func routes() *routepb.RouteConfiguration {
	action := &routepb.RouteAction{
		ClusterSpecifier:  &routepb.RouteAction_Cluster{Cluster: "reviews"},
		MaxStreamDuration: &routepb.RouteAction_MaxStreamDuration{MaxStreamDuration: durationpb.New(5 * time.Second)},
		RetryPolicy:       &routepb.RetryPolicy{RetryOn: "unavailable", NumRetries: wrapperspb.UInt32(2)},
	}
	return &routepb.RouteConfiguration{VirtualHosts: []*routepb.VirtualHost{{
		Name: "reviews", Domains: []string{"*"}, Routes: []*routepb.Route{{
			Match:  &routepb.RouteMatch{PathSpecifier: &routepb.RouteMatch_Prefix{Prefix: ""}},
			Action: &routepb.Route_Route{Route: action},
		}},
	}}}
}

func cluster() *clusterpb.Cluster {
	return &clusterpb.Cluster{
		Name:                 "reviews",
		ClusterDiscoveryType: &clusterpb.Cluster_Type{Type: clusterpb.Cluster_EDS},
		EdsClusterConfig: &clusterpb.Cluster_EdsClusterConfig{EdsConfig: &corepb.ConfigSource{
			ConfigSourceSpecifier: &corepb.ConfigSource_Ads{Ads: new(corepb.AggregatedConfigSource)},
		}},
		LbPolicy:         clusterpb.Cluster_ROUND_ROBIN,
		CircuitBreakers:  &clusterpb.CircuitBreakers{Thresholds: []*clusterpb.CircuitBreakers_Thresholds{{MaxRequests: wrapperspb.UInt32(1000)}}},
		OutlierDetection: &clusterpb.OutlierDetection{EnforcingFailurePercentage: wrapperspb.UInt32(100)},
	}
}

func endpoints(addresses []string) *endpointpb.ClusterLoadAssignment {
	all := make([]*endpointpb.LbEndpoint, len(addresses))
	for i, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		number, err2 := strconv.ParseUint(port, 10, 16)
		if err != nil || err2 != nil {
			panic("the server told " + a) // it has listened there
		}
		at := &corepb.Address{Address: &corepb.Address_SocketAddress{SocketAddress: &corepb.SocketAddress{
			Address: host, PortSpecifier: &corepb.SocketAddress_PortValue{PortValue: uint32(number)},
		}}}
		all[i] = &endpointpb.LbEndpoint{HostIdentifier: &endpointpb.LbEndpoint_Endpoint{Endpoint: &endpointpb.Endpoint{Address: at}}}
	}
	return &endpointpb.ClusterLoadAssignment{ClusterName: "reviews", Endpoints: []*endpointpb.LocalityLbEndpoints{{
		Locality: new(corepb.Locality), LoadBalancingWeight: wrapperspb.UInt32(1), LbEndpoints: all,
	}}}
}
