package csl

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tillstream/central/flow"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// Source has templates. Not ok: there is none, for sure. An error that is ErrTemplate: there is one, which is wrong;
// any other: it cannot say now.
type Source interface {
	Template(ctx context.Context, tag, language string) (t Template, ok bool, err error)
}

// Tags gives the tags of the templates for a message, the first that there is goes.
func Tags(m event.MessageType, promo record.PromoCode) []string {
	return []string{string(m) + "." + promo.String(), string(m)}
}

// bucket is the flow's bucket as a source.
type bucket struct{ docs *flow.Documents }

func (b bucket) Template(_ context.Context, tag, language string) (Template, bool, error) {
	document, ok := b.docs.Template(tag, language)
	if !ok {
		return Template{}, false, nil
	}
	t, err := Read(document)
	return t, err == nil, err
}

// Put checks a template, JSON or YAML, and puts it into the flow's bucket. It refuses a tag that no message has, and
// a template that no message of the tag's type could fill.
func Put(ctx context.Context, docs *flow.Documents, tag, language string, document []byte) error {
	t, err := Read(document)
	if err == nil {
		err = checkPlace(&t, tag, language)
	}
	if err != nil {
		return fmt.Errorf("template %s in %s: %w", short(tag), short(language), err)
	}
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("template %s in %s: %w", tag, language, err)
	}
	return docs.Put(ctx, kv.TemplateKey(tag, language), b)
}

// checkPlace says whether a message ever asks for a template under this tag, and has what it wants.
func checkPlace(t *Template, tag, language string) error {
	kind, promo, own := strings.Cut(tag, ".")
	m := event.MessageType(kind)
	if !m.Known() {
		return fmt.Errorf("%w: tag: want {messageType} or {messageType}.{promoCode}, with a messageType of %v", ErrTemplate, event.MessageTypes())
	}
	if _, err := record.ParsePromoCode(promo); own && err != nil {
		return fmt.Errorf("%w: tag: %w", ErrTemplate, err)
	}
	if _, err := record.ParsePromoCode(language); err != nil { // the same letters
		return fmt.Errorf("%w: language: want a word such as en or en-gb", ErrTemplate)
	}
	values := map[event.Variable]string{}
	for _, v := range event.Variables() {
		values[v] = "x"
	}
	if m != event.MessageRewardAwarded {
		delete(values, event.VarCode)
	}
	if m != event.MessageUnqualification {
		delete(values, event.VarWeek)
	}
	_, _, err := t.Fill(values)
	return err
}
