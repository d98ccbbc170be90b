package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/service"
)

// maxFlowDocument bounds a document of the flow, in bytes.
const maxFlowDocument = 256 << 10

// FlowChanged is the answer to whatever puts a document of the flow.
type FlowChanged struct {
	Document string `json:"document"` // which
	Revision int64  `json:"revision,omitempty"`
	Changed  bool   `json:"changed"` // false: it was so already
}

func document(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxFlowDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	case len(b) > maxFlowDocument:
		return nil, fmt.Errorf("%w: a document of the flow has at most %d bytes", errRequest, maxFlowDocument)
	}
	return b, nil
}

// putProgress puts a progress promotion, JSON or YAML.
func (a *Admin) putProgress(r *http.Request) (FlowChanged, error) {
	b, err := document(r)
	if err != nil {
		return FlowChanged{}, err
	}
	p, err := progress.ReadPromotion(b)
	if err != nil {
		return FlowChanged{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	out := FlowChanged{"progress promotion " + p.Code.String(), p.Revision, true}
	if now, ok := a.cfg.Flow.Docs.Promotion(p.Code); ok {
		if reflect.DeepEqual(*now, p) {
			out.Changed = false
			return out, nil
		}
		if p.Revision <= now.Revision {
			return out, fmt.Errorf("%w: %s is there with revision %d and differs: want a higher revision", errOther, out.Document, now.Revision)
		}
	}
	_, err = a.cfg.Flow.Docs.PutPromotion(r.Context(), b)
	return out, err
}

// ProgressPromotions is the answer to GET /v1/flow/promotions, by code.
type ProgressPromotions struct {
	Promotions []*progress.Promotion `json:"promotions"`
}

func (a *Admin) progressPromotions(*http.Request) (ProgressPromotions, error) {
	return ProgressPromotions{append([]*progress.Promotion{}, a.cfg.Flow.Docs.Promotions()...)}, nil
}

func (a *Admin) progressPromotion(r *http.Request) (*progress.Promotion, error) {
	return a.promotionNamed(r.PathValue("code"))
}

func (a *Admin) promotionNamed(text string) (*progress.Promotion, error) {
	code, err := record.ParsePromoCode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: promo_code: %w", errRequest, err)
	}
	p, ok := a.cfg.Flow.Docs.Promotion(code)
	if !ok {
		return nil, fmt.Errorf("progress promotion %s: %w", code, errUnknown)
	}
	return p, nil
}

// putFlowSettings puts the brand's flavour, JSON or YAML.
func (a *Admin) putFlowSettings(r *http.Request) (FlowChanged, error) {
	b, err := document(r)
	if err != nil {
		return FlowChanged{}, err
	}
	s, err := progress.ReadSettings(b)
	if err != nil {
		return FlowChanged{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	out, now := FlowChanged{"flow settings", s.Revision, true}, a.cfg.Flow.Docs.Settings()
	if reflect.DeepEqual(now, s) {
		out.Changed = false
		return out, nil
	}
	if s.Revision <= now.Revision {
		return out, fmt.Errorf("%w: the flow's settings are there with revision %d and differ: want a higher revision", errOther, now.Revision)
	}
	_, err = a.cfg.Flow.Docs.PutSettings(r.Context(), b)
	return out, err
}

// flowSettings gives the brand's flavour; revision 0 is the one by default.
func (a *Admin) flowSettings(*http.Request) (progress.Settings, error) {
	return a.cfg.Flow.Docs.Settings(), nil
}

// templateNamed reads a path's tag and language.
func templateNamed(r *http.Request) (tag, language string, err error) {
	tag, language = r.PathValue("tag"), r.PathValue("language")
	for name, text := range map[string]string{"tag": tag, "language": language} {
		if _, err := record.ParsePromoCode(text); err != nil { // the same letters
			return tag, language, fmt.Errorf("%w: %s: want 1 to 64 of A-Z, a-z, 0-9, '_' and '-', got %q", errRequest, name, text)
		}
	}
	return tag, language, nil
}

func (a *Admin) putTemplate(r *http.Request) (FlowChanged, error) {
	tag, language, err := templateNamed(r)
	if err != nil {
		return FlowChanged{}, err
	}
	b, err := document(r)
	if err != nil {
		return FlowChanged{}, err
	}
	out := FlowChanged{Document: "template " + tag + " in " + language, Changed: true}
	if err := a.cfg.Flow.CheckTemplate(b); err != nil {
		return out, fmt.Errorf("%w: %s: %w", errRequest, out.Document, err)
	}
	if now, ok := a.cfg.Flow.Docs.Template(tag, language); ok && string(now) == string(b) {
		out.Changed = false
		return out, nil
	}
	return out, a.cfg.Flow.Docs.Put(r.Context(), kv.TemplateKey(tag, language), b)
}

// template gives a template as it was put.
func (a *Admin) template(r *http.Request) (json.RawMessage, error) {
	tag, language, err := templateNamed(r)
	if err != nil {
		return nil, err
	}
	b, ok := a.cfg.Flow.Docs.Template(tag, language)
	if !ok {
		return nil, fmt.Errorf("template %s in %s: %w", tag, language, errUnknown)
	}
	return b, nil
}

// Templates is the answer to GET /v1/flow/templates.
type Templates struct {
	Templates []TemplateName `json:"templates"`
}

// TemplateName names a template.
type TemplateName struct {
	Tag      string `json:"tag"`
	Language string `json:"language"`
}

func (a *Admin) templates(r *http.Request) (Templates, error) {
	out := Templates{[]TemplateName{}}
	bucket, err := kv.Open(r.Context(), a.cfg.JS, kv.Flow(a.cfg.Net.Brand))
	if err != nil {
		return out, fmt.Errorf("%w: %w", errFlowAway, err)
	}
	keys, err := bucket.Keys(r.Context(), kv.TemplateKey("*", "*"))
	if err != nil {
		return out, fmt.Errorf("%w: %w", errFlowAway, err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if parts := strings.Split(key, "."); len(parts) == 3 {
			out.Templates = append(out.Templates, TemplateName{parts[1], parts[2]})
		}
	}
	return out, nil
}

// OptInQuestion is the body of POST /v1/flow/opt-in: a card number or an account, and a promotion.
type OptInQuestion struct {
	Card      string `json:"card,omitempty"`
	Account   string `json:"account,omitempty"`
	PromoCode string `json:"promo_code"`
}

// OptedIn is its answer.
type OptedIn struct {
	Account   string `json:"account"`
	PromoCode string `json:"promo_code"`
}

func (a *Admin) optIn(r *http.Request) (OptedIn, error) {
	var q OptInQuestion
	if err := decode(r, &q); err != nil {
		return OptedIn{}, err
	}
	id, err := a.accountID(AccountQuestion{Card: q.Card, Account: q.Account})
	if err != nil {
		return OptedIn{}, err
	}
	p, err := a.promotionNamed(q.PromoCode)
	if err != nil {
		return OptedIn{}, err
	}
	if !p.OptIn {
		return OptedIn{}, fmt.Errorf("%w: progress promotion %s has no opt_in: everybody takes part", errRequest, p.Code)
	}
	err = a.cfg.Flow.OptIn(r.Context(), id, p.Code)
	if no, ok := errors.AsType[*service.Refusal](err); ok {
		err = fmt.Errorf("%w: %w", errRequest, no)
	}
	return OptedIn{id.String(), p.Code.String()}, err
}

func (a *Admin) progressOf(r *http.Request) (any, error) {
	id, err := record.ParseAccountID(r.PathValue("account"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	return a.shopperProgress(r.Context(), id)
}

// progressAsked is progressOf for a card number, which is in no URL.
func (a *Admin) progressAsked(r *http.Request) (any, error) {
	var q AccountQuestion
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	id, err := a.accountID(q)
	if err != nil {
		return nil, err
	}
	return a.shopperProgress(r.Context(), id)
}

func (a *Admin) shopperProgress(ctx context.Context, id record.AccountID) (any, error) {
	v, err := a.cfg.Flow.Progress(ctx, id)
	if errors.Is(err, kv.ErrNone) {
		return nil, fmt.Errorf("progress of account %s: %w", id, errUnknown)
	}
	return v, err
}
