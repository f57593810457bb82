# make test is what must pass before a change is pushed; the other targets are
# for looking. What is not Go is installed by make needs; the rest is fetched by
# the go command, at the versions that the go.mod files pin.

GO ?= go
# Clones of the repository share what they have built: without it, all of it is
# built and kept again for each place on the disk, gigabytes in a few days.
export GOFLAGS += -trimpath
staticcheck := $(GO) tool -modfile=$(CURDIR)/internal/tools/go.mod staticcheck
# SA1019 is left out: rules may use fields that Istio has deprecated, and they
# are obeyed all the same.
checks := -checks=inherit,-SA1019

# How long each fuzz target runs, as a count: a duration may end in a failure
# that is none, https://go.dev/issue/75804.
FUZZ ?= 20000x

.NOTPARALLEL: # so that the first thing that fails is the last that is printed

.PHONY: demo
demo: ## the tour: a small fleet on this machine, and a live table of its traffic
	$(GO) run ./examples/bookinfo

.PHONY: test
test: check race interop observability browser fuzz-short bench-check ## all that must hold, in less than 15 minutes on two cores

.PHONY: bench
bench: ## the performance budget, measured here, in one table
	cd bench && $(GO) run .

.PHONY: observability
observability: needs ## what a mesh tells, seen by a real Prometheus and an OTLP receiver
	cd internal/observability && $(GO) mod tidy -diff
	cd internal/observability && $(GO) vet ./...
	cd internal/observability && $(staticcheck) $(checks) ./...
	cd internal/observability && $(GO) test -race -timeout 30m ./...

.PHONY: browser
browser: needs ## the admin pages of the running tour, in a real browser
	cd internal/browser && $(GO) mod tidy -diff
	cd internal/browser && $(GO) vet ./...
	cd internal/browser && $(staticcheck) $(checks) ./...
	cd internal/browser && $(GO) test -race -timeout 30m -parallel 4 ./...

.PHONY: soak
soak: ## every test many times over: an hour or so
	$(GO) test -race -count=15 -timeout=2h ./...

.PHONY: fuzz
fuzz: ## every fuzz target for a few minutes each
	@$(MAKE) --no-print-directory fuzz-short FUZZ=5000000x

.PHONY: fmt
fmt: ## formats all Go files
	gofmt -w .

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

# --- the parts of make test, the quick ones first

.PHONY: check
check: needs
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change (make fmt does):" >&2; echo "$$files" >&2; exit 1; }
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) vet ./...
	$(staticcheck) $(checks) ./...

# What the tests run beside Go: each command, and Debian's packages that have it.
tools := git:git gcc:gcc,libc6-dev prometheus:prometheus promtool:prometheus chromium:chromium
install := apt-get install -y --no-install-recommends

.PHONY: needs
needs: # gcc is for the race detector; Prometheus and Chromium are what people look at a mesh with
	@packages=; for tool in $(tools); do \
		command -v "$${tool%%:*}" >/dev/null || packages="$$packages $$(echo "$${tool#*:}" | tr , ' ')"; \
	done; \
	test -z "$$packages" || { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update && $(install) $$packages; } \
		|| { echo "something is missing: $(install)$$packages" >&2; exit 1; }

.PHONY: race
race: # with a real Consul, which is built once if there is none on the PATH
	INMESH_CONSUL=required $(GO) test -timeout 30m -run '^TestAgentCanBeHad$$' ./internal/consultest
	INMESH_CONSUL=required $(GO) test -race -timeout 30m ./...

.PHONY: interop
interop: # gRPC's own interoperability suite, whose dependencies nobody else needs
	cd mesh/meshgrpc/interop && $(GO) mod tidy -diff
	cd mesh/meshgrpc/interop && $(GO) vet ./...
	cd mesh/meshgrpc/interop && $(GO) test -race -timeout 30m ./...

.PHONY: fuzz-short
fuzz-short:
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; package=$$(dirname "$$file"); \
		echo "$(GO) test -run='^$$' -fuzz=^$$name\$$ -fuzztime=$(FUZZ) $$package"; \
		$(GO) test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZ) -fuzzminimizetime=1000x "$$package" \
			|| { echo "$$package: $$name failed; what it found, if anything, is under $$package/testdata/fuzz" >&2; exit 1; }; \
	done

.PHONY: bench-check
bench-check: # the benchmarks' own module: its checks, and each benchmark once
	cd bench && $(GO) mod tidy -diff
	cd bench && $(GO) vet ./...
	cd bench && $(staticcheck) $(checks) ./...
	cd bench && $(GO) test -short -timeout 30m -bench=. -benchtime=1x ./...
