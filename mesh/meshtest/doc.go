// Package meshtest is the mesh in memory, for tests of programs that use it:
// services that listen on no port, discovery that a test edits, faults at will.
//
//	fleet := meshtest.New(t)
//	v1 := fleet.Start("reviews", handler, meshtest.Labels{"version": "v1"})
//	client := fleet.Client(mesh.Config{Rules: rules.Static(documents)})
//	resp, err := client.Get("http://reviews/7") // obeys the rules, in memory
//	v1.Refuse()                                 // from now on connections to it are refused
//
// StartMesh adds a service with a mesh of its own before it, and an identity; StartTCP
// and StartMeshTCP add one that speaks a protocol of its own.
//
// Nothing leaves the process and nothing waits for real time, so that all of it
// works within testing/synctest: a timeout, a retry or an ejection of half a
// minute is tested in milliseconds.
//
// Everything that a Fleet has made ends with the test: meshes first, then connections,
// and with them the contexts of requests. It waits until all handlers have returned.
// A Fleet and its instances are safe for concurrent use.
package meshtest
