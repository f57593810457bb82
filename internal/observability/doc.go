// Package observability shows a mesh's telemetry to the tools that people look at
// it with: a real Prometheus scrapes it and answers the queries of Istio's
// dashboards and of Kiali, and an OTLP receiver gets its traces. It has no code but
// tests. They need Debian's package prometheus, which make needs installs.
package observability
