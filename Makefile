# Menshen. `make` lists the targets; `make demo` and `make test` do all their
# own set-up on a fresh machine.

GO      ?= go
OUT     := out
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Shipped binaries need no C library and hold no path of the machine that
# built them, so that a build can be repeated and compared.
BUILD  = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

PORTABLE := ./cmd/menshen-agent ./cmd/menshenctl
# Of the plugins' folder these are libraries; all else is a program each.
PLUGINS   = $(filter-out %/contract %/contracttest %/host,$(patsubst %/,./%,$(wildcard plugins/*/)))
SERVER    = ./cmd/menshen-pdp $(PLUGINS)
TARGETS  := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64

.DEFAULT_GOAL := help
.PHONY: help build cross demo test proxies lint bench bench-agent fuzz generate dist clean setup setup-build

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ; @scripts/setup
setup-build: ; @scripts/setup build

demo: setup ## the whole way on this machine, step by step (KEEP=1 leaves it running)
	$(GO) run ./test/demo $(if $(KEEP),-keep)

test: setup ## build, vet, unit and race, e2e, arch and a few seconds of each fuzz target
	$(GO) run ./test/runner

lint: ## golangci-lint and govulncheck, at pinned versions
	@scripts/lint

proxies: setup ## every proxy's tests; builds Traefik first, which takes minutes
	@echo "building Traefik: ten minutes of a processor the first time"
	cd test/proxies/traefik && CGO_ENABLED=0 $(GO) build -trimpath -o $(CURDIR)/.tools/bin/traefik github.com/traefik/traefik/v3/cmd/traefik
	$(GO) test -count=1 -tags traefik ./test/proxies

bench: setup ## one line a budget: name, figure, floor, ratio, budget, ok or short
	$(GO) run ./test/bench

bench-agent: setup ## the agent alone, watched for ten minutes (WATCH=10m)
	$(GO) run ./test/bench -run '^agent$$' -watch $(or $(WATCH),10m)

fuzz: setup-build ## each fuzz target for FUZZTIME (default 1m)
	$(GO) run ./test/runner -stages fuzz -fuzztime $(or $(FUZZTIME),1m)

build: setup-build ## every binary for this machine, into out/
	$(BUILD) -o $(OUT)/ $(PORTABLE) $(SERVER) ./examples/portal

cross: $(addprefix cross-,$(TARGETS)) ## agent and menshenctl for six targets, PDP and plugins for Linux

$(addprefix cross-,$(TARGETS)): cross-%: setup-build
	@echo "$*"
	@mkdir -p $(OUT)/$*
	@GOOS=$(word 1,$(subst /, ,$*)) GOARCH=$(word 2,$(subst /, ,$*)) \
		$(BUILD) -o $(OUT)/$*/ $(PORTABLE) $(if $(findstring linux/,$*),$(SERVER))

dist: setup ## .deb packages, into dist/
	@scripts/dist

generate: ## write generated code anew
	$(GO) generate ./...

clean: ## remove what was built
	rm -rf $(OUT) dist
