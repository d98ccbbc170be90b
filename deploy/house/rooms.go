package house

// room is one package: what it may import of ours, and of other modules.
type room struct {
	path string
	// may are packages of ours. "x/*" is every package below x, "*" is every package, and ground is the
	// ground floor.
	may []string
	// outside are the only packages of other modules it may import; nil means any that has no doorkeeper.
	outside []string
}

// ground stands for the ground floor in the table: what travels, and what rests.
const ground = "ground"

func groundFloor() []string {
	return []string{"subjects", "subjects/event", "subjects/service", "kv", "kv/progress", "kv/promotion",
		"kv/record", "kv/seal", "kv/setting"}
}

// onlyStandard is an outside list without a package.
func onlyStandard() []string { return []string{} }

// rooms is the table. Imports go down: deploy and main above edge and central, these above the ground.
func rooms() []room {
	return []room{
		{path: "", may: []string{"*"}},

		{path: "subjects", outside: onlyStandard()},
		{path: "subjects/gen", may: []string{"subjects"}, outside: onlyStandard()},
		{path: "subjects/event", may: []string{"subjects", "kv/record"}},
		{path: "subjects/event/gen", may: []string{"subjects", "subjects/event", "kv/record"}, outside: onlyStandard()},
		{path: "subjects/service"},
		{path: "kv", may: []string{"subjects", "kv/record"}},
		{path: "kv/gen", may: []string{"kv"}, outside: onlyStandard()},
		{path: "kv/progress", may: []string{"kv/record", "subjects", "subjects/event"}, outside: []string{"github.com/goccy/go-yaml"}},
		{path: "kv/promotion", outside: []string{
			"github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/parser", "github.com/goccy/go-yaml/token"}},
		{path: "kv/record", may: []string{"subjects"}, outside: []string{"github.com/klauspost/compress/s2"}},
		{path: "kv/seal", may: []string{"kv/record"}, outside: onlyStandard()},
		{path: "kv/setting", may: []string{"subjects", "kv/record"}, outside: onlyStandard()},

		{path: "edge", may: []string{"edge/*", ground}},
		{path: "edge/leaf", may: []string{"subjects"}},
		{path: "edge/journal", may: []string{"subjects", "kv/record", "kv/seal"}},
		{path: "edge/catalogue", may: []string{"kv/record"}, outside: onlyStandard()},
		{path: "edge/cache", may: []string{"edge/catalogue", "subjects", "kv/record", "kv/seal"}},
		{path: "edge/feed", may: []string{"subjects", "kv/record", "edge/cache", "edge/journal"}},
		{path: "edge/uplink", may: []string{"subjects", "subjects/service", "kv/record", "edge/journal"}},
		{path: "edge/pricing", may: []string{"kv/promotion", "kv/record", "subjects/event"}, outside: onlyStandard()},
		{path: "edge/scan", may: []string{"kv/record", "kv/setting"}, outside: []string{"github.com/nyaruka/phonenumbers"}},
		{path: "edge/programme", may: []string{"edge/cache", "edge/catalogue", "edge/pricing", "edge/scan",
			"subjects", "kv/promotion", "kv/record", "kv/setting"}, outside: onlyStandard()},
		{path: "edge/page", outside: onlyStandard()},
		{path: "edge/api", may: []string{"edge/cache", "edge/catalogue", "edge/journal", "edge/page", "edge/pricing", "edge/programme", "edge/scan", ground}},
		{path: "edge/api/examples", outside: onlyStandard()},

		{path: "central", may: []string{"central/*", ground}},
		{path: "central/hub", may: []string{ground}},
		{path: "central/streams", may: []string{"subjects", "kv", "kv/record"}},
		{path: "central/reference", may: []string{"kv/promotion", ground}},
		{path: "central/fold", may: []string{ground}},
		{path: "central/replica", may: []string{"central/fold", ground}},
		{path: "central/archive", may: []string{"central/fold", "central/replica", ground}},
		{path: "central/books", may: []string{"central/books/count", "central/fold", ground}},
		{path: "central/books/count", may: []string{"kv/record"}, outside: onlyStandard()},
		{path: "central/stage", may: []string{"subjects", "subjects/event"}},
		{path: "central/flow", may: []string{"central/stage", ground}},
		{path: "central/flow/flowtest", may: []string{"central/flow", "central/hub", "central/stage", "central/streams", ground}},
		{path: "central/flow/cpp", may: []string{"central/books", "central/flow", "central/fold", "central/replica", ground}},
		{path: "central/flow/eppm", may: []string{"central/flow", "central/replica", ground}},
		{path: "central/flow/dec", may: []string{"central/flow", "central/stage", ground}},
		{path: "central/flow/pph", may: []string{"central/flow", ground}},
		{path: "central/flow/tim", may: []string{"central/flow", "central/stage", ground}},
		{path: "central/flow/fred", may: []string{"central/flow", "central/stage", ground}},
		{path: "central/flow/des", may: []string{"central/flow", ground}},
		{path: "central/flow/bcg", may: []string{"central/flow", "central/stage", ground}},
		{path: "central/flow/csl", may: []string{"central/flow", ground}},
		{path: "central/flow/osg", may: []string{"central/flow", ground}},
		{path: "central/flow/msq", may: []string{"central/flow", "central/stage", ground}},
		{path: "central/ingest", may: []string{"central/replica", "central/books", ground}},
		{path: "central/scrub", may: []string{"central/hub", "central/fold", ground}},
		{path: "central/feed", may: []string{"central/replica", "central/books", "central/reference", ground}},
		{path: "central/gateway", may: []string{"central/replica", "central/books", "central/reference", "central/streams",
			"central/archive", "central/scrub", "central/flow", "central/stage", ground}},

		{path: "deploy/bench", may: []string{"*"}},
		{path: "deploy/daemon", may: []string{"*"}},
		{path: "deploy/demo", may: []string{"*"}},
		{path: "deploy/fleet", may: []string{"*"}},
		{path: "deploy/house", outside: onlyStandard()},
		{path: "deploy/laws", may: []string{"central", "central/*", "deploy/sales", ground}},
		{path: "deploy/mutant", outside: onlyStandard()},
		{path: "deploy/ops", may: []string{"*"}},
		{path: "deploy/pos", may: []string{"*"}},
		{path: "deploy/relay", may: []string{"*"}},
		{path: "deploy/trial", may: []string{"*"}},
		{path: "deploy/screen", may: []string{"*"}},
		{path: "deploy/settings", outside: onlyStandard()},
		{path: "deploy/sales", may: []string{"*"}},
		{path: "deploy/soak", may: []string{"*"}},
		{path: "deploy/vectors", may: []string{"*"}},
	}
}

// door is an outside module that only some rooms may open.
type door struct {
	module   string   // import path or its beginning
	keepers  []string // rooms that may import it, as in room.may; empty: nobody is kept out by this
	tests    bool     // test files anywhere may import it
	packages []string // the only packages of it that may be imported; nil means any
	never    []string // rooms that may not import it, tests included
}

func doors() []door {
	return []door{
		{module: "github.com/nats-io/nats-server", keepers: []string{"edge/leaf", "central/hub", "deploy/*"}, tests: true},
		{module: "go.etcd.io/bbolt", keepers: []string{"edge/journal", "edge/cache",
			"deploy/bench"}}, // the bench has a bare file to compare with
		{
			module: "github.com/cloudevents/sdk-go", keepers: []string{"subjects/event"},
			// The module's root brings 45 outside packages, these nine.
			packages: []string{"github.com/cloudevents/sdk-go/v2/event", "github.com/cloudevents/sdk-go/v2/types"},
		},
		{module: "github.com/nats-io/nats.go", never: []string{
			"subjects", "subjects/event", "kv/record", "kv/seal",
			"edge/pricing", "edge/journal", "edge/cache", "central/books", "central/fold",
		}},
	}
}

// topLevel is all that lies at the top of the repository, beside what .gitignore names.
func topLevel() []string {
	return []string{".ci", ".git", ".gitignore", "LICENSE", "Makefile", "README.md",
		"central", "deploy", "edge", "go.mod", "go.sum", "kv", "main.go", "subjects"}
}

// noNames are package names that say nothing.
func noNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "types", "models", "base", "core"}
}

// MaxLines is the length at which a file is a bug report. A generated file may be longer.
const MaxLines = 500
