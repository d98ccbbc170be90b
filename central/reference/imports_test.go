package reference_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/reference"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/record"
)

// bucket is the stream under a bucket, as it should be.
func bucket(t *testing.T, b kv.Bucket) jetstream.StreamConfig {
	t.Helper()
	for _, s := range streams.Want(net, 1) {
		if s.Name == b.Stream() {
			return s
		}
	}
	t.Fatalf("no stream for bucket %s", b.Name)
	return jetstream.StreamConfig{}
}

const csvFile = "\xef\xbb\xbfcode,name,category,tags,unit,min_age,floor_price,no_discount,no_points,no_loyalty,remove\r\n" +
	"4006381333931,\"Pen, blue\",office/pens,new organic,,,99,,,,\r\n" +
	"85123A,Candle holder,,,pc,,,true,false,,false\r\n" +
	"2512340000001,Emmentaler,food/cheese,,kg,,,,,,\r\n" +
	"tobacco-1,Cigarettes,tobacco,,,18,,,,true,\r\n" +
	"old,,,,,,,,,,true\r\n"

const jsonFile = `{"code":"4006381333931","name":"Pen, blue","category":"office/pens","tags":["new","organic"],"floor_price":99}
{"code":"85123A","name":"Candle holder","unit":"pc","no_discount":true}

{"code":"2512340000001","name":"Emmentaler","category":"food/cheese","unit":"kg"}
{"code":"tobacco-1","name":"Cigarettes","category":"tobacco","min_age":18,"no_loyalty":true}
{"code":"old","remove":true}
`

// A file says the same in both formats.
func TestReadItems(t *testing.T) {
	want := []reference.Line{
		{Code: "04006381333931", Product: record.Product{Name: "Pen, blue", Category: "office/pens", Tags: []string{"new", "organic"}, FloorPrice: 99}},
		{Code: "85123A", Product: record.Product{Name: "Candle holder", NoDiscount: true}},
		{Code: "02512340000001", Product: record.Product{Name: "Emmentaler", Category: "food/cheese", Unit: record.UnitKilogram}},
		{Code: "tobacco-1", Product: record.Product{Name: "Cigarettes", Category: "tobacco", MinAge: 18, NoDiscount: true, NoPoints: true}},
		{Code: "old", Remove: true},
	}
	for format, text := range map[reference.Format]string{reference.CSV: csvFile, reference.NDJSON: jsonFile} {
		got, err := reference.ReadItems(format, strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		for i := range got {
			got[i].Number = 0
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read\n%+v\nwant\n%+v", format, got, want)
		}
	}
}

// Every fault is found in one go, each with its line and its field.
func TestItemsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		format reference.Format
		text   string
		want   []string
	}{
		{reference.CSV, "", []string{"line 1"}},
		{reference.CSV, "code,name\n", []string{"no item"}},
		{reference.CSV, "code;name\n1;a\n", []string{"line 1", "comma"}},
		{reference.CSV, "name\na\n", []string{"line 1", "code"}},
		{reference.CSV, "code,code\na,a\n", []string{"line 1", "twice"}},
		{reference.CSV, "code,price\na,1\n", []string{"line 1", "price"}},
		{reference.CSV, "code,name\na,A\na b,B\nc\nd,\na,again\n4006381333932,pen\n",
			[]string{"line 3: code", "line 4: 1 fields, want 2", "line 5: name", "line 6: code a: it is in line 2", "line 7", "wrong check digit", "want 1"}},
		{reference.CSV, "code,name,min_age,unit,floor_price,no_points\na,A,100,,,\nb,B,x,,,\nc,C,,g,,\nd,D,,,-1,\ne,E,,,,yes\nf,F,,,1.5,\n",
			[]string{"line 2: min_age", "line 3: min_age", "line 4: unit", "line 5: floor_price", "line 6: no_points", "line 7: floor_price"}},
		{reference.CSV, "code,name\na,\"A\"B\n", []string{"line 2"}},
		{reference.CSV, "code,name\na,\"A\x00\"\n", []string{"line 2: name"}},
		{reference.CSV, "code,name,category\na,A,Food\nb,B,food//milk\nc,C,/food\n", []string{"line 2: category", "line 3: category", "line 4: category"}},
		{reference.CSV, "code,name,tags\na,A,new NEW\n", []string{"line 2: tags"}},
		{reference.NDJSON, "", []string{"no item"}},
		{reference.NDJSON, `{"code":"a","name":"A"` + "\n", []string{"line 1"}},
		{reference.NDJSON, `{"code":"a","name":"A","price":1}` + "\n" + `{"code":7,"name":"A"}` + "\n[]\n" + `{"code":"b","name":"B"}{}` + "\n",
			[]string{"line 1", "price", "line 2", "line 3", "line 4"}},
		{reference.NDJSON, `{"code":"a","name":"` + strings.Repeat("A", 70_000) + `"}`, []string{"line 1"}},
		{reference.NDJSON, `{"code":"a","name":"A","min_age":-1}`, []string{"line 1: min_age"}},
		{"xml", "<a/>", []string{"xml"}},
	} {
		lines, err := reference.ReadItems(c.format, strings.NewReader(c.text))
		if !errors.Is(err, reference.ErrImport) || lines != nil {
			t.Errorf("%q: read %+v, error %v", c.text, lines, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%.60q: error\n%v\nwants %q", c.text, err, part)
			}
		}
	}
}

// A file with ten thousand faults is answered with twenty, and how many more there are.
func TestManyFaults(t *testing.T) {
	var b strings.Builder
	b.WriteString("code,name\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "item %d,A\n", i)
	}
	_, err := reference.ReadItems(reference.CSV, strings.NewReader(b.String()))
	if err == nil || strings.Count(err.Error(), "\n") != 21 || !strings.Contains(err.Error(), "and 9980 lines more") {
		t.Errorf("error %v", err)
	}
}

func FuzzReadItems(f *testing.F) {
	f.Add(true, csvFile)
	f.Add(false, jsonFile)
	f.Fuzz(func(t *testing.T, isCSV bool, text string) {
		format := reference.NDJSON
		if isCSV {
			format = reference.CSV
		}
		lines, err := reference.ReadItems(format, strings.NewReader(text))
		if (err == nil) != (len(lines) > 0) {
			t.Fatalf("%d lines, error %v", len(lines), err)
		}
		for i := range lines {
			if lines[i].Remove {
				continue
			}
			if again, err := record.ItemCode(lines[i].Code); err != nil || again != lines[i].Code {
				t.Fatalf("code %q becomes %q, %v", lines[i].Code, again, err)
			}
			p, err := record.ReadProduct(string(lines[i].Product.Append(nil)))
			if err != nil || p.Check() != nil || !reflect.DeepEqual(p, normal(lines[i].Product)) {
				t.Fatalf("read %+v, %v; want %+v", p, err, lines[i].Product)
			}
		}
	})
}

// normal is a product without the difference between no tags and none.
func normal(p record.Product) record.Product {
	if len(p.Tags) == 0 {
		p.Tags = nil
	}
	return p
}

func FuzzReadDocuments(f *testing.F) {
	f.Add([]byte("[" + tea + "]"))
	f.Add([]byte(`{"schema":"promotion/v1","id":"a","revision":1,"name":"A","text":{"en":"A"},"mechanic":{"type":"percentage","percent":"10"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := reference.ReadDocuments(record.RefPromotion, b)
		if err != nil {
			return
		}
		for _, d := range docs {
			again, err := reference.ReadDocuments(record.RefPromotion, d.JSON)
			if err != nil || !reflect.DeepEqual(again, []reference.Document{d}) {
				t.Fatalf("read %s, then %+v, %v", d.JSON, again, err)
			}
		}
	})
}

// A setting that no till could go by is refused when it is put, and the field named.
func TestSettingsThatAreNone(t *testing.T) {
	for text, says := range map[string]string{
		`{id: stores, revision: 1, zone: Europe/Atlantis}`:                                            "Europe/Atlantis",
		`{id: programme, revision: 1, currencies: {EUR: {earn: {points: 1}}}}`:                        "currencies/EUR/earn",
		`{id: programme, revision: 1, max_line_discount: 50}`:                                         "max_line_discount",
		`{id: programme, revision: 1, earn: 1}`:                                                       "earn",
		`{id: scan, revision: 1, layouts: [{prefix: "40", item: 5, digits: 5, carries: weight}]}`:     "prefix",
		`[{id: stores, revision: 1, zone: UTC}, {id: stores, revision: 2, zone: UTC}]`:                "twice",
		`{id: stores, revision: 1, zone: Europe/Berlin}`:                                              "",
		`{id: of-another-program, revision: 1, anything: [1]}`:                                        "",
		`{id: programme, revision: 1, currencies: {EUR: {earn: {points: 1, amount: 100}, block: 5}}}`: "",
	} {
		docs, err := reference.ReadDocuments(record.RefSetting, []byte(text))
		if says == "" && (err != nil || len(docs) != 1) || says != "" && (!errors.Is(err, reference.ErrDocument) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %+v, %v; want %q", text, docs, err, says)
		}
	}
}
