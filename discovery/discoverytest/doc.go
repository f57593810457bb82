// Package discoverytest checks that a discovery.Source keeps the promises of
// its interface. It is to Sources what testing/slogtest is to log handlers.
//
//	func TestMySourceConforms(t *testing.T) {
//		discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
//			registry := newFakeRegistry(t)
//			return discoverytest.Harness{
//				Source: mysource.New(registry.URL),
//				Set:    registry.Set,
//				Remove: registry.Remove,
//				Break:  registry.Stop,
//				Heal:   registry.Start,
//			}
//		})
//	}
//
// Each case is a subtest with a harness of its own. RunPaused runs the cases in
// testing/synctest bubbles: for sources that poll or wait but use no network,
// it takes no time, and finds every goroutine left behind. With Run, put goleak
// into the package's TestMain for that.
//
// Limits: the suite compares endpoints by their addresses alone, all of which
// are "IP:9080" with 9080 the Port of the Service, so that DNS can pass too.
package discoverytest
