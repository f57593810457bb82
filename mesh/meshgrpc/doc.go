// Package meshgrpc is the gRPC face of a mesh: the same rules, the same engine,
// the same observer.
//
//	m, err := mesh.New(ctx, mesh.Config{Rules: rules.Dir("rules"), Identity: ca.Workload("productpage")})
//	...
//	conn, err := meshgrpc.NewClient(m, "mesh:///ratings") // or mesh:///ratings:9080
//	client := pb.NewRatingsClient(conn)
package meshgrpc
