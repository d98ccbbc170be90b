package kv

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tillstream/subjects"
)

// WriteCatalogue prints the buckets for people.
func WriteCatalogue(w io.Writer) error {
	const mark = "brand-of-the-catalogue" // a token, where the paper has a placeholder
	var b strings.Builder
	b.WriteString("<!-- Generated from bucket.go by go generate. Do not edit. -->\n# Buckets\n\n" +
		"Every bucket of the centre. Each is a JetStream stream, `KV_` and its name; stores cannot reach it.\n")
	brand := subjects.BrandID{Token: subjects.MustToken(mark)}
	for _, bucket := range slices.Concat(Buckets(brand), FlowBuckets(brand)) {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s.\n\n| key | value | built by |\n| --- | --- | --- |\n",
			strings.ReplaceAll(bucket.Name, mark, "{brand}"), upper(bucket.Holds))
		for _, k := range bucket.Keys {
			fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", k.Pattern, k.Value, k.Builder)
		}
		fmt.Fprintf(&b, "\n- Lost: %s\n- Rolled back a day: %s\n- Edited by hand: %s\n", bucket.Lost, bucket.RolledBack, bucket.ByHand)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
