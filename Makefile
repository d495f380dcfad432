# What one does with this repository. `make` alone lists it.

GO    ?= go
GOLANGCI_LINT ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
FUZZ  ?= 20s
SEEDS ?= 10000

.DEFAULT_GOAL := help
.PHONY: help check test race sim torture bench fuzz lint docs plots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: ## formatting, vet on every platform, and the house rules; seconds
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	$(GO) mod verify
	$(GO) test .

test: ## all tests; those that need a RabbitMQ, an external NATS or npm skip without one, unless CI=true
	$(GO) test $(if $(CI),-count=1) ./...

race: ## all tests with the race detector
	$(GO) test -race ./...

sim: ## every flow through SEEDS (default 10000) schedules of faults in virtual time; minutes
	$(GO) test -count=1 -timeout 60m ./sim/schedules -run TestSchedules -v -seeds $(SEEDS)

torture: ## 100 heals of each impairment of a link under 48 clients that misbehave, with the race detector
	$(GO) test -race -count=1 -timeout 30m ./sim/link -run TestTorture -v -torments 100 -heal-bound 1s

bench: ## performance against peers and raw loops, as ratios from one run; minutes
	$(GO) test -run '^$$' -bench . -benchtime 1x -count 1 ./sim/drivers ./sim/edge ./sim/link ./sim/pace
	$(GO) test -run '^$$' -bench Record -count 1 ./results

fuzz: ## every fuzz target for FUZZ (default 20s) each
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) $$pkg; done; done

lint: ## golangci-lint, built from source on first use
	$(GO) run $(GOLANGCI_LINT) run

docs: ## rewrite what is generated: transcripts, docs/*.md of flows, brokers, faults and scenarios, the schema, golden files
	$(GO) test ./flows -rewrite
	$(GO) test ./cmd/flowbench -run TestDocsAreWhatTheRegistriesSay -update
	$(GO) test ./scenarios ./report -update

plots: ## run the scenario of the README again and publish its plots
	rm -rf results/published/compare
	$(GO) run ./cmd/flowbench run compare --out results/published/compare
	rm -f results/published/compare/report.html

clean: ## remove runs and build leftovers
	rm -rf results/runs bin
	$(GO) clean -testcache
