package csl_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow/csl"
	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// desk is a CSL and who asks it.
type desk struct {
	*flowtest.World
	registry *prometheus.Registry
}

func open(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	w := flowtest.Open(t)
	b := w.Base()
	d := &desk{w, b.Registry.(*prometheus.Registry)}
	w.Run(csl.New(b).Run)
	return d
}

func promo(t *testing.T, s string) record.PromoCode {
	t.Helper()
	p, err := record.ParsePromoCode(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asks asks as BCG does, until the service is there.
func (d *desk) asks(data []byte) (event.Content, error) {
	d.T.Helper()
	ctx, cancel := context.WithTimeout(d.T.Context(), flowtest.Within)
	defer cancel()
	for {
		a, err := service.AskWith(ctx, d.Conn, service.Question{Subject: d.Net.CSLContent(), Data: data})
		if errors.Is(err, nats.ErrNoResponders) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return event.Content{}, err
		}
		return event.ReadContent(a.Data)
	}
}

func (d *desk) content(m event.MessageType, code string) (event.Content, error) {
	d.T.Helper()
	b, err := json.Marshal(event.ContentQuestion{MessageType: m, PromoCode: promo(d.T.(*testing.T), code),
		Values: map[event.Variable]string{event.VarPromoName: "Ten <b>stamps</b>"}})
	d.Must(err)
	return d.asks(b)
}

func (d *desk) put(tag, language, document string) {
	d.T.Helper()
	ctx, cancel := context.WithTimeout(d.T.Context(), flowtest.Within)
	defer cancel()
	d.Must(csl.Put(ctx, d.Docs, tag, language, []byte(document)))
}

// counted gives a counter's value.
func (d *desk) counted(name, what string) float64 {
	d.T.Helper()
	families, err := d.registry.Gather()
	d.Must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == what {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestTheFirstTemplateThatThereIs(t *testing.T) {
	d := open(t)
	d.PutSettings("languages: [cy, en]")
	if _, err := d.content(event.MessageRewardAwarded, "STAMPS"); !errors.Is(err, service.ErrLater) {
		t.Fatalf("without a template: got %v, want to be told to ask again", err)
	}
	d.put("REWARD_AWARDED", "en", `text: "All: {promoName}"`)
	d.put("UNQUALIFICATION", "cy", `text: "Another type: {promoName}"`)
	for _, step := range []struct{ tag, language, text, want string }{
		{"REWARD_AWARDED.OTHER", "cy", "Another promotion", "en|All: Ten ‹b›stamps‹/b›"},
		{"REWARD_AWARDED", "fr", "Another language", "en|All: Ten ‹b›stamps‹/b›"},
		{"REWARD_AWARDED", "cy", "Pawb: {promoName}", "cy|Pawb: Ten ‹b›stamps‹/b›"},
		{"REWARD_AWARDED.STAMPS", "en", "Stamps: {promoName}", "en|Stamps: Ten ‹b›stamps‹/b›"},
		{"REWARD_AWARDED.STAMPS", "cy", "Stampiau: {promoName}", "cy|Stampiau: Ten ‹b›stamps‹/b›"},
		{"REWARD_AWARDED.STAMPS", "cy", "Newydd", "cy|Newydd"}, // another revision
	} {
		d.put(step.tag, step.language, `{"text": "`+step.text+`"}`)
		if c, err := d.content(event.MessageRewardAwarded, "STAMPS"); err != nil || c.Language+"|"+c.Text != step.want {
			t.Errorf("with %s in %s too: got %+v, %v, want %s", step.tag, step.language, c, err, step.want)
		}
	}
	if d.counted("tillstream_csl_answers_total", "found") != 6 || d.counted("tillstream_csl_answers_total", "none") != 1 {
		t.Error("the outcomes are not counted")
	}
}

func TestPutRefusesWhatNoMessageCouldShow(t *testing.T) {
	d := open(t)
	for _, c := range []struct{ tag, language, document, want string }{
		{"REWARD_AWARDED", "en", `text: "{nothing}"`, "unknown variable {nothing}"},
		{"UNQUALIFICATION", "en", `text: "{code}"`, "wants {code}"},
		{"REWARD_AWARDED", "en", `text: "{week}"`, "wants {week}"},
		{"REWARD", "en", `text: a`, "tag: want {messageType}"},
		{"REWARD_AWARDED.", "en", `text: a`, "tag: promo code"},
		{"REWARD_AWARDED.a.b", "en", `text: a`, "tag: promo code"},
		{"REWARD_AWARDED.*", "en", `text: a`, "tag: promo code"},
		{"REWARD_AWARDED", "e.n", `text: a`, "language:"},
		{"REWARD_AWARDED", "", `text: a`, "language:"},
	} {
		err := csl.Put(t.Context(), d.Docs, c.tag, c.language, []byte(c.document))
		if !errors.Is(err, csl.ErrTemplate) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %s: got %v, want %q", c.tag, c.language, err, c.want)
		}
	}
	d.put("UNQUALIFICATION", "en", `text: "week {week}"`)
	d.put("REWARD_AWARDED.STAMPS", "en-gb", `text: "{code}"`)
}

// What can never be answered right is refused: BCG must not ask for ever.
func TestAQuestionThatIsWrongForGoodIsRefused(t *testing.T) {
	d := open(t)
	d.put("REWARD_AWARDED", "en", `text: "{code}"`) // which the message does not have
	d.Must(d.Docs.Put(t.Context(), kv.TemplateKey("PROGRESS", "en"), []byte(`{"text": "<b>put around ops</b>"}`)))
	for _, m := range []event.MessageType{event.MessageRewardAwarded, event.MessageProgress, "SPAM"} {
		if _, err := d.content(m, "STAMPS"); !refused(err) {
			t.Errorf("%s: got %v, want a refusal", m, err)
		}
	}
	for _, data := range []string{"", "{", "[]", `{"messageType": "PROGRESS"}`, `{"messageType": "PROGRESS", "promoCode": "*"}`} {
		if _, err := d.asks([]byte(data)); !refused(err) {
			t.Errorf("%q: got %v, want a refusal", data, err)
		}
	}
	if got := d.counted("tillstream_csl_answers_total", "refused"); got != 8 {
		t.Errorf("%v refusals are counted, want 8", got)
	}
}

func refused(err error) bool {
	_, ok := errors.AsType[*service.Refusal](err)
	return ok
}
