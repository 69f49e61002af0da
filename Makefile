# The list of targets is made from the comments after them.
.PHONY: help build setup test unit race race-all e2e chaos spellings hostile pictures check lint fmt vuln fuzz bench bench-peer bench-signins bench-gateway bench-gateway-setup breached-filter clean

GO    ?= go
TOOL  := $(GO) tool -modfile=tools.mod
T     ?= 30s
COUNT ?= 10

# Packages where goroutines meet: these run once more under the race detector. Of
# the last four, whose many tests each open a database or hash passwords, only those that make
# goroutines meet: RACED names them. make race-all runs everything.
RACE  := ./internal/shared/... ./internal/token/... ./internal/revocation/... ./internal/ratelimit/... \
         ./internal/gateway/... ./internal/signals/... ./sdk/...
MEET  := ./internal/account ./internal/oauth ./internal/store ./internal/web
RACED := Hundred|Queue|Busy|AU04NoStranger|Once|OneWinner|OneOf|TK08|TK30|PR03|Interleaved|Race|AtOnce|Together|Close|ACaller|Deadlock|TwoProcesses|AFailing|TestContract/.*/(sixteen|TK08|PP17|RV21|KY0|PR03|TK21|no_)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' Makefile

build: ## build bin/sallyport, static and reproducible
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/sallyport ./cmd/sallyport

setup: ## install what the tests need (packages by apt where root or sudo is there; npm, pip and Maven packages)
	@test/setup.sh

test: setup ## everything that must pass: vet, format, unit tests on both engines, races, black box
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); test -z "$$bad" || { echo "gofmt: $$bad"; exit 1; }
	$(GO) vet ./...
	$(MAKE) --no-print-directory unit race e2e

unit: ## tests of the packages, on SQLite and PostgreSQL
	$(GO) test -count=1 .
	$(GO) test $$($(GO) list ./internal/... ./cmd/... ./bench/... ./sdk/...)
	cd bench/jose && $(GO) test .

race: ## where goroutines meet, under the race detector
	$(GO) test -race -short $(RACE)
	$(GO) test -race -short -run '$(RACED)' $(MEET)

race-all: ## everything there, under the race detector (some ten minutes)
	$(GO) test -race $(RACE) $(MEET)

e2e: setup build ## black box tests on the built binary: third-party clients, a browser, kill -9, leaks
	SALLYPORT_BIN=$(CURDIR)/bin/sallyport $(GO) test -count=1 -p 2 -timeout 12m ./test/...

chaos: build ## everything changes at once under 300 requests/s for some two minutes (make test has a short form)
	SALLYPORT_BIN=$(CURDIR)/bin/sallyport SALLYPORT_CHAOS=full $(GO) test -count=1 -timeout 10m -v ./test/chaos

spellings: setup build ## each of 2,000 spellings of an address with each method and each shape of the header (make test has a short form)
	SALLYPORT_BIN=$(CURDIR)/bin/sallyport SALLYPORT_SPELLINGS=full $(GO) test -count=1 -timeout 60m -v ./test/spelling

hostile: setup build ## a hostile script on the page of a browser app for ten minutes (make e2e has ten seconds)
	SALLYPORT_BIN=$(CURDIR)/bin/sallyport SALLYPORT_HOSTILE_SECONDS=600 $(GO) test -count=1 -timeout 25m -run T008 ./test/browser

PICTURES ?= bin/pictures

pictures: setup build ## a picture of every page, light, dark, on phones and from right to left, into bin/pictures (or PICTURES=DIR)
	SALLYPORT_BIN=$(CURDIR)/bin/sallyport SALLYPORT_PICTURES=yes SALLYPORT_SCREENSHOTS=$(abspath $(PICTURES)) $(GO) test -count=1 -run 'TestEveryPageIsAccessible' ./test/browser

check: test lint ## test, and the linters

lint: ## golangci-lint, staticcheck and gofumpt, as pinned in tools.mod (the first run builds them)
	@bad=$$($(TOOL) gofumpt -l $$(git ls-files --cached --others --exclude-standard '*.go')); test -z "$$bad" || { echo "gofumpt: $$bad"; exit 1; }
	$(TOOL) staticcheck ./...
	$(TOOL) golangci-lint run ./...

fmt: ## format all Go files
	$(TOOL) gofumpt -w $$(git ls-files --cached --others --exclude-standard '*.go')

bench-signins: build ## what 2,000 sign-ins at once do to the calls of an API (Linux)
	ulimit -n 8192 && $(GO) run ./bench/flood -bin bin/sallyport

bench-gateway: build ## a call through Sallyport beside nginx, HAProxy, Caddy and Go's ReverseProxy (Linux, 4 minutes)
	$(GO) run ./bench/gateway -bin bin/sallyport -rounds $(or $(ROUNDS),5)

bench-gateway-setup: ## install nginx, HAProxy and Caddy, and start none of them (Debian, root)
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
	apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install nginx haproxy caddy
	rm -f /usr/sbin/policy-rc.d

breached-filter: ## build the bundled filter of breached passwords again (npm, pip)
	cd internal/breached && ./fetch.sh > all.list && $(GO) run ../../cmd/sallyport user passwords build-filter -o bundled.filter all.list && rm all.list

vuln: ## govulncheck on the source; needs its database on the network
	$(TOOL) govulncheck ./...

fuzz: ## each fuzz target in turn for T (make fuzz T=30s)
	@set -e; grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r f; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' "$$f"); do \
			echo "fuzz $$name in $$(dirname "$$f") for $(T)"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(T) "$$(dirname "$$f")" || exit 1; \
		done; \
	done

bench-peer: ## the issuer beside node-oidc-provider (npm), in one run
	cd bench/issuer/peer && npm ci --no-audit --no-fund --silent
	$(GO) run ./bench/issuer -peer -rounds $(or $(ROUNDS),3)

bench: ## all benchmarks, COUNT runs each, into bench/out/bench.txt, then a summary
	@mkdir -p bench/out
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./internal/... ./bench/... | tee bench/out/bench.txt
	cd bench/jose && $(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) . | tee ../out/jose.txt
	$(TOOL) benchstat bench/out/bench.txt && $(TOOL) benchstat bench/out/jose.txt

clean: ## remove what was built; state folders of sallyport dev stay
	rm -rf bin bench/out test/node/node_modules test/backends/.venv examples/backends/node/node_modules examples/backends/java/target
