# What one does with this repository. `make` alone lists it.

GO    ?= go
GOLANGCI_LINT ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
FUZZ  ?= 20s
SEEDS ?= 10000
AA    ?= 10

.DEFAULT_GOAL := help
.PHONY: help check test race sim torture aa bench fuzz lint docs shots plots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: ## formatting, vet on every platform, and the house rules; seconds
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	$(GO) mod verify
	$(GO) test .

test: ## all tests; those that need a RabbitMQ, an external NATS, npm, Apache, pyftpdlib, s3cmd or versitygw skip without one, unless CI=true
	$(GO) test $(if $(CI),-count=1) ./...

race: ## all tests with the race detector
	$(GO) test -race ./...

sim: ## every flow through SEEDS (default 10000) schedules of faults in virtual time; minutes
	$(GO) test -count=1 -timeout 60m ./sim/schedules -run TestSchedules -v -seeds $(SEEDS)

torture: ## 100 heals of each impairment of a link under 48 clients that misbehave, with the race detector
	$(GO) test -race -count=1 -timeout 30m ./sim/link -run TestTorture -v -torments 100 -heal-bound 1s

aa: ## how often comparisons call a change where there is none, and find one where there is one; AA (default 10) on this machine; half an hour
	$(GO) test -count=1 -timeout 3h ./cmd/flowbench -run 'TestTheSameIsNotCalledAChange|TestAServiceThatTakesLonger' -v -aa-same 40 -aa-slower 20 -aa-real $(AA)

bench: ## performance against peers and raw loops, as ratios from one run; minutes
	$(GO) test -run '^$$' -bench . -benchtime 1x -count 1 ./flows/chunks ./sim/drivers ./sim/edge ./sim/link ./sim/pace ./sim/store/s3store
	$(GO) test -run '^$$' -bench Record -count 1 ./results
	$(GO) test -run '^$$' -bench PageOfALongRun -benchtime 1x -count 1 ./report
	$(GO) test -run '^$$' -bench Live -benchtime 1x -count 1 ./cmd/flowbench
	$(GO) test -run '^$$' -bench Stamp -count 1 ./sim/hops

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

shots: ## pictures of reports for the eye, in report/shots: wide, narrow, light, dark, and as printed (pdftoppm makes pages)
	$(GO) test -count=1 -timeout 60m ./report -run TestShots -shots shots

plots: ## run what README and docs show again, and publish it in results/published; ten quiet minutes
	$(call publish,compare,compare)
	$(call publish,outage,broker-outage $(OUTAGE))
	$(call publish,payloads,large-payloads $(PAYLOADS))
	$(call publish,knee,saturation --flows direct)

# What the docs need of these scenarios; all of them would weigh too much.
OUTAGE   = --flows async-no-reply,async-reply-to,proxy-sync,direct --brokers nats,jetstream
PAYLOADS = --flows proxy-sync --brokers jetstream --set payloads.stores=[file,s3]

# A run without what only its page and second judgement need.
define publish
	rm -rf results/published/$(1)
	$(GO) run ./cmd/flowbench run $(2) --out results/published/$(1)
	cd results/published/$(1) && rm -f report.html plots/*.svg cells/*.history.jsonl cells/*.hops.jsonl
endef

clean: ## remove runs and build leftovers
	rm -rf results/runs bin
	$(GO) clean -testcache
