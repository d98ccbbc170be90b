package gateway_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/gateway"
	"tillstream/central/stage"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// letters gives the dead letters that a question finds.
func (s *site) letters(query string) gateway.DeadLetters {
	s.T.Helper()
	var got gateway.DeadLetters
	s.ok("GET", "/v1/flow/dead"+query, "", &got)
	return got
}

// rejected has DEC reject activities of so many shoppers, and runs it well again.
func (s *site) rejected(why string, shoppers ...uint16) (ids []string) {
	s.T.Helper()
	s.reject(why)
	stop := s.runStage(subjects.DEC)
	for _, n := range shoppers {
		ids = append(ids, s.publish(n, asItIs))
	}
	for range shoppers {
		s.Expect(s.Net.DeadLetters(subjects.DEC))
	}
	stop()
	s.fails.Store(nil)
	return ids
}

// A dead letter says what it was and why; replayed, it takes its way through the flow as if nothing had been, once.
func TestDeadLetterIsReplayed(t *testing.T) {
	s := openSite(t)
	if got := s.letters(""); len(got.Letters) != 0 || got.Next != 0 {
		t.Errorf("at rest: %+v", got)
	}
	id := s.rejected("promotion STAMPS is not known", 1)[0]
	all := s.letters("?stage=dec")
	if len(all.Letters) != 1 {
		t.Fatalf("got %+v", all)
	}
	l := all.Letters[0]
	if l.Stage != "dec" || l.Event != id || l.Subject != s.Net.CPPActivity() || l.Error != "promotion STAMPS is not known" || l.Origin != 1 ||
		l.Tries != 1 || l.At.IsZero() || l.Promo != "STAMPS" || l.Status != "REWARD_AWARDED" || l.Bytes == 0 {
		t.Errorf("got %+v", l)
	}
	if got := s.letters("?stage=tim"); len(got.Letters) != 0 {
		t.Errorf("of TIM: %+v", got)
	}
	var whole gateway.DeadEvent
	path := fmt.Sprintf("/v1/flow/dead/%d", l.Sequence)
	s.ok("GET", path, "", &whole)
	if whole.DeadLetter != l || whole.Headers["ce-id"][0] != id || !strings.Contains(whole.Text, `"accountId"`) || whole.Base64 != "" {
		t.Errorf("whole: %+v", whole)
	}

	s.runStage(subjects.DEC)
	var done gateway.Replayed
	s.ok("POST", path+"/replay", "", &done)
	if done.Now == 0 || done.Event != id || done.Subject != s.Net.CPPActivity() {
		t.Errorf("replayed: %+v", done)
	}
	e := s.Expect(s.Net.CPPEnriched())
	if e.ID != event.NextID(id, event.DEC, 0) || string(e.Data) != whole.Text {
		t.Errorf("DEC made %+v of it", e)
	}
	s.Expect(s.Net.CPPActivity())
	again := s.Expect(s.Net.CPPActivity())
	for name := range again.Header {
		if strings.HasPrefix(name, "Nats-") || strings.HasPrefix(name, "Tillstream-") {
			t.Errorf("it was replayed with the header %s", name)
		}
	}
	if got := s.letters(""); len(got.Letters) != 0 {
		t.Errorf("it is still there: %+v", got)
	}
	s.refused("POST", path+"/replay", "", http.StatusNotFound, "not-found", "replayed or discarded")
	s.refused("GET", path, "", http.StatusNotFound, "not-found")
	s.refused("DELETE", path, "", http.StatusNotFound, "not-found")
}

// Letters with one error are replayed together, within a bound; others stay, and so does one that comes back.
func TestLettersAlikeAreReplayed(t *testing.T) {
	s := openSite(t)
	s.rejected("the promotion is not known", 1, 2, 3)
	other := s.rejected("something else", 4)[0]
	s.reject("the promotion is not known")
	s.runStage(subjects.DEC)
	const alike = `{"stage":"dec","error":"not known"%s}`
	var done gateway.AlikeReplayed
	s.ok("POST", "/v1/flow/dead/replay", fmt.Sprintf(alike, `,"limit":2`), &done)
	if done.Replayed != 2 || !done.More {
		t.Errorf("two of three: %+v", done)
	}
	s.Expect(s.Net.DeadLetters(subjects.DEC)) // both come back
	s.Expect(s.Net.DeadLetters(subjects.DEC))
	s.fails.Store(nil)
	s.ok("POST", "/v1/flow/dead/replay", fmt.Sprintf(alike, ""), &done)
	if done.Replayed != 3 || done.More {
		t.Errorf("the rest: %+v", done)
	}
	for range 3 {
		s.Expect(s.Net.CPPEnriched())
	}
	left := s.letters("")
	if len(left.Letters) != 1 || left.Letters[0].Event != other {
		t.Errorf("left: %+v", left)
	}
	s.ok("POST", "/v1/flow/dead/replay", fmt.Sprintf(alike, ""), &done)
	if done.Replayed != 0 || done.More {
		t.Errorf("none: %+v", done)
	}
	for _, body := range []string{`{"stage":"dec"}`, `{"stage":"dec","error":"x","limit":1001}`, `[]`, `{"stage":"dec","eror":"x"}`} {
		s.refused("POST", "/v1/flow/dead/replay", body, http.StatusBadRequest, "invalid-field")
	}
	s.refused("POST", "/v1/flow/dead/replay", `{"stage":"osg","error":"x"}`, http.StatusNotFound, "not-found", "dec tim fred bcg msq")
}

func TestLettersAreListedInParts(t *testing.T) {
	s := openSite(t)
	ids := s.rejected("no", 1, 2, 3, 4, 5)
	var got []string
	for after, parts := uint64(0), 0; parts == 0 || after > 0; parts++ {
		part := s.letters(fmt.Sprintf("?limit=2&after=%d", after))
		if len(part.Letters) > 2 || parts > 3 {
			t.Fatalf("part %d: %+v", parts, part)
		}
		for _, l := range part.Letters {
			got = append(got, l.Event)
		}
		after = part.Next
	}
	if len(got) != len(ids) {
		t.Errorf("got %d letters, want %d", len(got), len(ids))
	}
	for _, query := range []string{"?limit=1001", "?limit=-1", "?limit=many", "?after=x"} {
		s.refused("GET", "/v1/flow/dead"+query, "", http.StatusBadRequest, "invalid-field")
	}
	s.refused("GET", "/v1/flow/dead?stage=osg", "", http.StatusNotFound, "not-found")
	for _, sequence := range []string{"0", "x", "-1", "99999999999999999999"} {
		s.refused("GET", "/v1/flow/dead/"+sequence, "", http.StatusBadRequest, "invalid-field", "want the sequence")
	}
	s.refused("GET", "/v1/flow/dead/99", "", http.StatusNotFound, "not-found")
}

// What is no event is shown as far as it goes, and can be discarded; what was never of the flow is not put into it.
func TestLettersThatAreNoEvents(t *testing.T) {
	s := openSite(t)
	bytes := []byte{0xff, 0, 1}
	s.PublishRaw(&nats.Msg{Subject: s.Net.CPPActivity(), Data: bytes})
	s.runStage(subjects.DEC)
	s.Expect(s.Net.DeadLetters(subjects.DEC))
	s.PublishRaw(&nats.Msg{
		Subject: s.Net.DeadLetters(subjects.TIM), Header: nats.Header{stage.DeadSubject: {s.Net.Journal()}}, Data: []byte("not mine"),
	})
	all := s.letters("").Letters
	if len(all) != 2 || all[0].Event != "" || all[0].Account != "" || all[0].Bytes != 3 || !strings.Contains(all[0].Error, "ce-specversion") {
		t.Fatalf("got %+v", all)
	}
	var whole gateway.DeadEvent
	s.ok("GET", fmt.Sprintf("/v1/flow/dead/%d", all[0].Sequence), "", &whole)
	if whole.Text != "" || whole.Base64 != base64.StdEncoding.EncodeToString(bytes) {
		t.Errorf("got %+v", whole)
	}
	foreign := fmt.Sprintf("/v1/flow/dead/%d", all[1].Sequence)
	s.refused("POST", foreign+"/replay", "", http.StatusConflict, "not-replayable", "is no subject of the flow", "discard it")
	if all[1].Stage != "tim" || len(s.letters("").Letters) != 2 {
		t.Errorf("got %+v", all[1])
	}
	s.PublishRaw(&nats.Msg{
		Subject: s.Net.DeadLetters(subjects.DEC), Header: nats.Header{stage.DeadSubject: {s.Net.CPPActivity()}, stage.DeadLeft: {"99999"}},
	})
	large := fmt.Sprintf("/v1/flow/dead/%d", all[1].Sequence+1)
	s.refused("POST", large+"/replay", "", http.StatusConflict, "not-replayable", "of 99999 bytes, is not here")
	var done gateway.Replayed
	s.ok("DELETE", large, "", &done)
	s.ok("DELETE", foreign, "", &done)
	if done.Now != 0 || done.Sequence != all[1].Sequence {
		t.Errorf("discarded: %+v", done)
	}
	if left := s.letters("").Letters; len(left) != 1 || left[0].Sequence != all[0].Sequence {
		t.Errorf("left: %+v", left)
	}
}

// A letter that is replayed while the same was replayed elsewhere changes nothing for whoever reads it: the ids are the same.
func TestReplayTwiceHasTheSameIDs(t *testing.T) {
	s := openSite(t)
	id := s.rejected("no", 1)[0]
	s.runStage(subjects.DEC)
	e, data := s.Activity(flowtest.MustAttempt(1, "STAMPS", "2026-W48"), event.RewardAwarded, "cause")
	s.Publish(s.Net.CPPActivity(), e, data) // the replay of a node that died before it removed the letter
	var done gateway.Replayed
	s.ok("POST", fmt.Sprintf("/v1/flow/dead/%d/replay", s.letters("").Letters[0].Sequence), "", &done)
	for range 2 {
		if got := s.Expect(s.Net.CPPEnriched()); got.ID != event.NextID(id, event.DEC, 0) {
			t.Errorf("got %s", got.ID)
		}
	}
}
