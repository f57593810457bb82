// Package observability shows a mesh's telemetry to the tools that people look at
// it with: a real Prometheus scrapes the processes of examples/bookinfo and answers
// the queries of Istio's dashboards and of Kiali, and an OTLP receiver gets traces.
// What that demo has not, gRPC and TCP, comes from small fleets of their own. It has
// no code but tests. They need Debian's package prometheus, which make needs
// installs.
package observability
