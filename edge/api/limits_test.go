package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillstream/kv/record"
)

// limit is a value that the document does not allow, and where.
type limit struct {
	at    []string
	value any
}

// limits are values beyond each limit that a schema has: texts that are too long or of other characters or words,
// numbers out of range. Of lists the first element is looked at.
func (c contract) limits(schema any, at []string) (out []limit) {
	s := c.get(schema).(obj)
	for _, part := range list(s["allOf"]) {
		out = append(out, c.limits(part, at)...)
	}
	add := func(v any) { out = append(out, limit{slices.Clone(at), v}) }
	if n, ok := s["maxLength"].(float64); ok {
		add(strings.Repeat("x", int(n)+1))
	}
	if s["pattern"] != nil {
		add("ä b")
	}
	if s["enum"] != nil {
		add("no-such-word")
	}
	if n, ok := s["maximum"].(float64); ok {
		add(json.Number(fmt.Sprintf("%.0f", n+1)))
	}
	if n, ok := s["minimum"].(float64); ok {
		add(json.Number(fmt.Sprintf("%.0f", n-1)))
	}
	if s["items"] != nil {
		out = append(out, c.limits(s["items"], append(slices.Clone(at), "0"))...)
	}
	properties, _ := s["properties"].(obj)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, c.limits(properties[name], append(slices.Clone(at), name))...)
	}
	return out
}

// set puts a value into a document, where its parents are.
func set(v any, at []string, value any) bool {
	if o, ok := v.(obj); ok {
		if len(at) == 1 {
			o[at[0]] = value
			return true
		}
		return set(o[at[0]], at[1:], value)
	}
	if l, ok := v.([]any); ok && len(l) > 0 {
		i, _ := strconv.Atoi(at[0])
		if len(at) == 1 {
			l[i] = value
			return true
		}
		return set(l[i], at[1:], value)
	}
	return false
}

// What the document says is the most, the least, or the only words, the node holds a POS to, and names the field:
// otherwise a POS that was tried with this version breaks with one that does.
func TestLimitsOfTheDocumentAreTheNodes(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	doc := readContract(t, Document)
	who := obj{"identifier": obj{"kind": "card", "value": ourCard}}
	tenders, codes := []any{obj{"kind": "cash", "amount": 1}}, []any{obj{"code": "AUTUMN1"}}
	whole := func(o obj) obj {
		o["rid"], o["currency"], o["shopper"], o["at"], o["business_date"] = record.NewRID(s.now()).String(), "EUR", who, "2026-11-20T12:00:00+01:00", "2026-11-20"
		o["tenders"], o["training"] = tenders, true
		return o
	}
	basket := func() obj {
		return whole(obj{
			"lines":   []any{obj{"line_id": "1", "item": pasta, "quantity": "1", "unit_price": 129, "manual_discount": obj{"amount": 1}}},
			"coupons": codes, "points_to_spend": obj{"mode": "exact", "points": 1}, "confirmed": obj{"age": 18},
			"offline": obj{"since": "2026-11-20T12:00:00+01:00"},
		})
	}
	for _, c := range []struct {
		path, schema string
		body         func() obj
	}{
		{"/v1/lookups", "Lookup", func() obj { return obj{"identifier": obj{"kind": "card", "value": ourCard}} }},
		{"/v1/scans", "ScanRequest", func() obj { return obj{"code": pasta} }},
		{"/v1/coupon-lookups", "CouponLookup", func() obj {
			return obj{"rid": record.NewRID(s.now()).String(), "shopper": who, "coupon": obj{"code": "AUTUMN1"}}
		}},
		{"/v1/quotes", "Basket", basket},
		{"/v1/receipts", "Basket", basket},
		{"/v1/holds", "HoldRequest", func() obj {
			b := basket()
			return obj{"rid": b["rid"], "shopper": who, "points": 1, "coupons": codes, "training": true}
		}},
		{"/v1/returns", "Return", func() obj {
			return whole(obj{
				"of":    obj{"rid": record.NewRID(s.now()).String()},
				"lines": []any{obj{"line_id": "1", "item": pasta, "quantity": "1", "unit_price": 129}},
			})
		}},
		{"/v1/receipts/" + record.NewRID(s.now()).String() + "/void", "Void", func() obj {
			return obj{"rid": record.NewRID(s.now()).String(), "at": "2026-11-20T12:00:00+01:00", "business_date": "2026-11-20", "training": true}
		}},
	} {
		for _, l := range doc.limits(obj{"$ref": "#/components/schemas/" + c.schema}, nil) {
			good, err := json.Marshal(c.body()) // a copy: what is shared stays as it is
			var body obj
			if err == nil {
				err = json.Unmarshal(good, &body)
			}
			if err != nil {
				t.Fatal(err)
			}
			at := "/" + strings.Join(l.at, "/")
			if !set(body, l.at, l.value) {
				continue // of a document that this operation has no use for
			}
			bad, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			rid, _ := body["rid"].(string)
			r := s.do("POST", c.path, map[string]string{HeaderKey: rid}, bad)
			var p Problem
			if err := json.Unmarshal(r.body, &p); err != nil || r.status < 400 || r.status > 499 || p.Field != at {
				t.Errorf("%s %s = %.40v: %d %.300s", c.path, at, l.value, r.status, r.body)
			}
		}
	}
}
