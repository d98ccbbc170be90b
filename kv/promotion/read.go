package promotion

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Schema is the version of the format that is read.
const Schema = "promotion/v1"

// reserved are ids that quotes use for themselves: the POS's own discount and the base points.
func reserved() []string { return []string{"pos", "base"} }

func (r *reader) promotion(at string, v any) Promotion {
	k := r.object(at, v)
	p := Promotion{State: "active", From: None, Until: None, Stacking: Stacking{Priority: 50, Mode: Stack}}
	if v, ok := k.need("schema"); ok && v != Schema {
		r.fault(k.pointer("schema"), "want %s: another version cannot be read", Schema)
	}
	if v, ok := k.need("id"); ok {
		p.ID = r.token(k.pointer("id"), v)
		if slices.Contains(reserved(), p.ID) {
			r.fault(k.pointer("id"), "quotes use this word for themselves: take another")
		}
	}
	if v, ok := k.need("revision"); ok {
		p.Revision = r.whole(k.pointer("revision"), v, 1, maxRevision)
	}
	if v, ok := k.need("name"); ok {
		p.Name = r.limited(k.pointer("name"), v, 1, 120)
	}
	r.texts(k, &p)
	if v, ok := k.take("state"); ok {
		p.State = r.oneOf(k.pointer("state"), v, "draft", "active", "paused", "ended")
	}
	r.times(k, &p)
	r.places(k, &p)
	r.trigger(k, &p)
	if v, ok := k.need("mechanic"); ok {
		p.Mechanic = r.mechanic(k.pointer("mechanic"), v)
	}
	r.bounds(k, &p)
	r.books(k, &p)
	k.done()
	return p
}

func (r *reader) texts(k *keys, p *Promotion) {
	if v, ok := k.need("text"); ok {
		p.Text = r.byLanguage(k.pointer("text"), v, 32)
		if len(p.Text) == 0 {
			r.fault(k.pointer("text"), `want a text in at least one language, such as {"en": "Coffee -25%%"}`)
		}
	}
	if v, ok := k.take("description"); ok {
		p.Description = r.byLanguage(k.pointer("description"), v, 500)
	}
}

// byLanguage reads texts by language: two or three small letters, and perhaps a country, as in de-AT.
func (r *reader) byLanguage(at string, v any, most int) map[string]string {
	k := r.object(at, v)
	texts := map[string]string{}
	for _, m := range k.left {
		p := k.pointer(m.key)
		if !isLanguage(m.key) {
			r.fault(p, "want a language as in en or de-AT")
		}
		texts[m.key] = r.limited(p, m.value, 1, most)
	}
	return texts
}

func isLanguage(s string) bool {
	language, country, two := strings.Cut(s, "-")
	return len(language) >= 2 && len(language) <= 3 && strings.Trim(language, "abcdefghijklmnopqrstuvwxyz") == "" &&
		(!two || len(country) == 2 && strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "")
}

func (r *reader) times(k *keys, p *Promotion) {
	if v, ok := k.take("validity"); ok {
		in := r.object(k.pointer("validity"), v)
		if v, ok := in.take("from"); ok {
			p.From = r.local(in.pointer("from"), v)
		}
		if v, ok := in.take("until"); ok {
			p.Until = r.local(in.pointer("until"), v)
		}
		if p.From != None && p.Until != None && p.From >= p.Until {
			r.fault(in.pointer("until"), "want a time after from: until is the first moment that is too late")
		}
		in.done()
	}
	if v, ok := k.take("schedule"); ok {
		at := k.pointer("schedule")
		for i, v := range r.list(at, v, 1) {
			p.Schedule = append(p.Schedule, r.window(index(at, i), v))
		}
	}
}

const everyDay = 1<<7 - 1

func (r *reader) window(at string, v any) Window {
	k := r.object(at, v)
	w := Window{Days: everyDay, Until: 24 * 60}
	if v, ok := k.take("days"); ok {
		w.Days = 0
		at := k.pointer("days")
		for i, v := range r.list(at, v, 1) {
			day := r.oneOf(index(at, i), v, Days()...)
			bit := uint8(1) << max(slices.Index(Days(), day), 0)
			if w.Days&bit != 0 {
				r.fault(index(at, i), "stands here twice")
			}
			w.Days |= bit
		}
	}
	if v, ok := k.take("from"); ok {
		w.From = r.minute(k.pointer("from"), v)
	}
	if v, ok := k.take("until"); ok {
		w.Until = r.minute(k.pointer("until"), v)
	}
	if w.From >= w.Until {
		r.fault(k.pointer("until"), "want a time after from: a window over midnight is two windows")
	}
	k.done()
	return w
}

// Days are the days of the week as documents have them, in time.Weekday's order.
func Days() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// Channels are the ways to sell.
func Channels() []string {
	return []string{"till", "self_checkout", "self_scan", "app", "web", "call_centre"}
}

func (r *reader) tokens(k *keys, key string) (out []string) {
	if v, ok := k.take(key); ok {
		at := k.pointer(key)
		for i, v := range r.list(at, v, 0) {
			out = append(out, r.token(index(at, i), v))
		}
	}
	return out
}

func (r *reader) places(k *keys, p *Promotion) {
	if v, ok := k.take("stores"); ok {
		in := r.object(k.pointer("stores"), v)
		p.Stores = Stores{Include: r.tokens(in, "include"), Exclude: r.tokens(in, "exclude")}
		in.done()
	}
	if v, ok := k.take("channels"); ok {
		at := k.pointer("channels")
		for i, v := range r.list(at, v, 1) {
			c := r.oneOf(index(at, i), v, Channels()...)
			if slices.Contains(p.Channels, c) {
				r.fault(index(at, i), "stands here twice")
			}
			p.Channels = append(p.Channels, c)
		}
	}
	if v, ok := k.take("audience"); ok {
		in := r.object(k.pointer("audience"), v)
		if v, ok := in.take("card_required"); ok {
			p.Audience.CardRequired = r.truth(in.pointer("card_required"), v)
		}
		if v, ok := in.take("any_of"); ok {
			at := in.pointer("any_of")
			for i, v := range r.list(at, v, 1) {
				p.Audience.AnyOf = append(p.Audience.AnyOf, r.who(index(at, i), v))
			}
		}
		in.done()
	}
}

func (r *reader) who(at string, v any) (w Who) {
	k := r.object(at, v)
	n := 0
	if v, ok := k.take("segment"); ok {
		w.Segment = r.token(k.pointer("segment"), v)
		n++
	}
	if v, ok := k.take("tier"); ok {
		w.Tier = r.token(k.pointer("tier"), v)
		n++
	}
	if v, ok := k.take("card_prefix"); ok {
		s, ok := r.text(k.pointer("card_prefix"), v)
		if ok && !isDigits(s, 3, 12) {
			r.fault(k.pointer("card_prefix"), "want 3 to 12 digits, in quotes")
		}
		w.CardPrefix = s
		n++
	}
	if v, ok := k.take("shopper"); ok {
		w.Shopper = r.limited(k.pointer("shopper"), v, 1, 64)
		n++
	}
	if n != 1 && len(k.left) == 0 {
		r.fault(at, "want exactly one of segment, tier, card_prefix, shopper")
	}
	k.done()
	return w
}

// readPromotions reads the tree of one promotion or of a list of them.
func readPromotions(v any) ([]Promotion, error) {
	r := &reader{}
	var out []Promotion
	if l, ok := v.(list); ok {
		for i, v := range l {
			out = append(out, r.promotion(index("", i), v))
		}
	} else {
		out = append(out, r.promotion("", v))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return out, nil
}

func readSets(v any) ([]Set, error) {
	r := &reader{}
	var out []Set
	if l, ok := v.(list); ok {
		for i, v := range l {
			out = append(out, r.set(index("", i), v))
		}
	} else {
		out = append(out, r.set("", v))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *reader) set(at string, v any) (s Set) {
	k := r.object(at, v)
	if v, ok := k.need("id"); ok {
		s.ID = r.token(k.pointer("id"), v)
		if s.ID == All {
			r.fault(k.pointer("id"), "all is the set that holds everything: take another id")
		}
	}
	if v, ok := k.need("revision"); ok {
		s.Revision = r.whole(k.pointer("revision"), v, 1, maxRevision)
	}
	if v, ok := k.take("include"); ok {
		f := r.filter(k.pointer("include"), v)
		s.Include = &f
	}
	if v, ok := k.take("exclude"); ok {
		s.Exclude = r.filter(k.pointer("exclude"), v)
	}
	k.done()
	return s
}

func (r *reader) filter(at string, v any) (f Filter) {
	k := r.object(at, v)
	for _, part := range []struct {
		key string
		to  *[]string
	}{{"items", &f.Items}, {"categories", &f.Categories}, {"tags", &f.Tags}} {
		v, ok := k.take(part.key)
		if !ok {
			continue
		}
		at := k.pointer(part.key)
		for i, v := range r.list(at, v, 0) {
			*part.to = append(*part.to, r.limited(index(at, i), v, 1, 200))
		}
	}
	k.done()
	return f
}

// Say gives the window for a person: "tue, thu 11:00-15:00".
func (w Window) Say() string {
	s := ""
	if w.Days != everyDay {
		s = strings.Join(w.DayNames(), ", ")
	}
	if w.From != 0 || w.Until != 24*60 {
		s = strings.TrimSpace(s + " " + Clock(w.From) + "-" + Clock(w.Until))
	}
	return s
}

// DayNames gives the window's days from Monday on.
func (w Window) DayNames() (days []string) {
	for d := range 7 {
		if day := (d + 1) % 7; w.Days>>day&1 == 1 {
			days = append(days, Days()[day])
		}
	}
	return days
}

// Clock writes a minute of the day as documents have it.
func Clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// Holds reports whether the window holds on a day at a minute of it.
func (w Window) Holds(day time.Weekday, minute int) bool {
	return w.Days>>day&1 == 1 && w.From <= minute && minute < w.Until
}

// TextIn gives the text in the first language that there is one in: as asked, without its country, in
// English, in any.
func (p *Promotion) TextIn(languages []string) string {
	for _, l := range languages {
		if t, ok := p.Text[l]; ok {
			return t
		}
		short, _, _ := strings.Cut(l, "-")
		if t, ok := p.Text[short]; ok {
			return t
		}
	}
	if t, ok := p.Text["en"]; ok || len(p.Text) == 0 {
		return t
	}
	return p.Text[slices.Min(slices.Collect(maps.Keys(p.Text)))]
}
