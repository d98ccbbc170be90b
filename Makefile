# tillstream. "make" lists what there is. Go and make are all it needs; Go fetches the rest, and the
# race detector wants a C compiler.

export GOFLAGS := -mod=readonly

# Packages that would take minutes under the race detector: the whole chain, again and again. Of the fleet's
# tests a few run under it all the same.
UNRACED := ^tillstream(/deploy/(demo|trial|fleet|screen))?$$
RACED := ^(TestRound|TestCrashOfEachTier|TestRestartOfEverything|TestSevenStepsOfEarning|TestTwoWritersAtOnce)$$

FUZZTIME ?= 20s
MINUTES ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test browser build bench generate fuzz golden soak power mutants damage

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: build ## build, then run the whole chain on this machine, on generated receipts, until Ctrl-C
	./bin/tillstream demo --flow

test: browser ## everything: gofmt, vet, staticcheck, all tests, shuffled (papers and house rules too), a soak of MINUTES=2
	@echo "make test: every line below should say ok. When it does: make run"
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || \
		{ echo "gofmt would change these, run gofmt -w on them:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	@race=-race; go build -race runtime/cgo 2>/dev/null || \
		{ race=; echo "no C compiler: tests run without the race detector (on Debian: apt-get install gcc libc6-dev)"; }; \
	failed=0; \
	go test $$race -shuffle=on $$(go list ./... | grep -vE '$(UNRACED)') || failed=1; \
	go test -timeout 20m -shuffle=on $$(go list ./... | grep -E '$(UNRACED)') || failed=1; \
	go test $$race -run '$(RACED)' ./deploy/fleet || failed=1; \
	go test -count=1 -timeout 30m -run '^TestSoak$$' ./deploy/soak -minutes $(MINUTES) || failed=1; \
	exit $$failed

browser: ## Chromium, in which the till page is tried: installed on Debian as root; elsewhere those tests are skipped
	@for b in chromium chromium-browser google-chrome google-chrome-stable chrome; do \
		if command -v $$b >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; then \
		echo "no Chromium: installing it, for the tests of the till page"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium; } \
			>/dev/null 2>&1 || echo "it cannot be installed: the till page is not tried"; \
	else \
		echo "no Chromium: the till page is not tried (on Debian, as root: apt-get install chromium)"; \
	fi

build: ## a static binary, bin/tillstream
	CGO_ENABLED=0 go build -trimpath -o bin/tillstream .

bench: build ## measure speed and size, about fifteen minutes (BENCH="--quick" for a short proof that it works)
	./bin/tillstream bench $(BENCH)

generate: ## print the papers that come from code: subjects/CATALOGUE.md, subjects/asyncapi.yaml, kv/CATALOGUE.md
	go generate ./...

fuzz: ## each fuzz target for 20 s (FUZZTIME=1m for longer); what it finds lies in testdata/fuzz
	@for package in $$(go list ./...); do \
		targets=$$(go test -run '^$$' -list '^Fuzz' $$package | grep '^Fuzz'); \
		for target in $$targets; do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$package || exit 1; \
		done; \
	done

soak: build ## the chain as processes under a script of faults for MINUTES=2; SEED=n plays one again; CENTRE=yes: take-overs
	./bin/tillstream soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(CENTRE),--centre)

power: ## cut the power 50 times, at random moments of till, store and centre (as root)
	go test -count=1 -v -run PowerCut ./deploy/trial -images 50

mutants: ## take the guards away one by one: a named test must fail each time (half an hour)
	go test -count=1 -v -timeout 2h -run '^TestMutants$$' ./deploy/mutant -mutants

damage: ## damage each file of a centre node 20 times in each of 5 ways (hours; KIND="block: " for one file)
	go test -count=1 -v -timeout 24h -run DamagedFiles ./deploy/fleet -damages 20 -damage-kind "$(KIND)"

golden: ## write golden files that are missing; to change one, delete it first and say why in the commit
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n 1 dirname | sort -u) -update
