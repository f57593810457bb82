package rules_test

import (
	"context"
	"fmt"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func Example() {
	source := rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - timeout: 2s
    route:
    - destination: {host: reviews}
`)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for set, err := range source.Watch(ctx) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, vs := range set.VirtualServices {
			fmt.Println(vs.Namespace, vs.Name, vs.Spec.Http[0].Timeout.AsDuration())
		}
		stop()
	}
	// Output: default reviews 2s
}

func ExampleParse() {
	_, err := rules.Parse("reviews.yaml", []byte(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - timeout: 1d
    route:
    - destination: {host: reviews}
      wieght: 90
`))
	fmt.Println(err)
	// Output:
	// reviews.yaml:9: VirtualService default/reviews: spec.http[0].timeout: bad duration "1d": want a duration such as 1m30s or 100ms, of h, m, s, ms, us and ns
	// reviews.yaml:12: VirtualService default/reviews: spec.http[0].route[0].wieght: HTTPRouteDestination has no field "wieght"; did you mean "weight"?
}
