package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A quote has the bytes that encoding/json would give it, whatever is in it: a field that the document gets
// and the encoder does not is found here.
func TestQuoteIsEncodedAsByReflection(t *testing.T) {
	t.Parallel()
	times := rapid.Custom(func(t *rapid.T) any {
		return time.Unix(rapid.Int64Range(0, 250_000_000_000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	quotes := rapid.MakeCustom[Quote](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{reflect.TypeFor[time.Time](): times}})
	rapid.Check(t, func(t *rapid.T) {
		q := quotes.Draw(t, "quote")
		want, err := json.Marshal(&q)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustEncode(&q); string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}
