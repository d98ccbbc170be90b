package event_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"

	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// BCG and CSL may be of two versions while a centre is brought up to date: both must read these for ever.
func TestContentGolden(t *testing.T) {
	const question = `{"messageType":"REWARD_AWARDED","promoCode":"STAMPS","values":{"code":"C1","promoName":"Ten \u0026 more"}}`
	q, err := event.ReadContentQuestion([]byte(question))
	promo, _ := record.ParsePromoCode("STAMPS")
	want := map[event.Variable]string{event.VarCode: "C1", event.VarPromoName: "Ten & more"}
	if err != nil || q.MessageType != event.MessageRewardAwarded || q.PromoCode != promo || !maps.Equal(q.Values, want) {
		t.Errorf("got %+v, %v", q, err)
	}
	if b, err := json.Marshal(q); err != nil || string(b) != question {
		t.Errorf("written as %s, %v, want %s", b, err, question)
	}
	const content = `{"language":"en","title":"T","text":"a\nb"}`
	c, err := event.ReadContent([]byte(content))
	if (err != nil || c != event.Content{Language: "en", Title: "T", Text: "a\nb"}) {
		t.Errorf("got %+v, %v", c, err)
	}
	if b, err := json.Marshal(c); err != nil || string(b) != content {
		t.Errorf("written as %s, %v, want %s", b, err, content)
	}
}

func TestContentThatIsNone(t *testing.T) {
	for _, s := range []string{"", "{}", `{"text":""}`, `{"text":1}`, "<html>"} {
		if _, err := event.ReadContent([]byte(s)); !errors.Is(err, event.ErrEvent) {
			t.Errorf("%q: got %v", s, err)
		}
		if _, err := event.ReadContentQuestion([]byte(s)); !errors.Is(err, event.ErrEvent) {
			t.Errorf("question %q: got %v", s, err)
		}
	}
}
