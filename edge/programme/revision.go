package programme

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"tillstream/edge/catalogue"
	"tillstream/edge/pricing"
	"tillstream/edge/scan"
	"tillstream/kv/promotion"
	"tillstream/kv/record"
	"tillstream/kv/setting"
	"tillstream/subjects"
)

// Revision is what a basket is priced by, as of one revision of the catalogue. It does not change, and is safe
// for many goroutines.
type Revision struct {
	number    uint32
	of        store
	catalogue *catalogue.Catalogue
	faults    []Fault

	rules      *pricing.Programme // promotions and sets, without a policy
	ruleFaults []Fault

	settings settings

	byCurrency map[string]*pricing.Programme // those that the setting names
	byDecimals [5]*pricing.Programme         // the others, by their decimals

	mu        sync.Mutex
	elsewhere map[subjects.StoreID]*Revision // guarded by mu: the same in other stores, as far as anybody asked
}

// elsewhereKept bounds the stores of which a revision remembers what it is there.
const elsewhereKept = 4096

// settings are what the documents of that kind say here.
type settings struct {
	programme setting.Programme
	place     setting.Store
	returns   setting.Returns
	scanner   *scan.Scanner
	faults    []Fault
}

// Fault is a document that cannot be gone by.
type Fault struct {
	Kind  string // promotion, set or setting; revision: the whole
	ID    string
	Entry uint64 // of the catalogue, that brought it
	Err   error
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s %s of entry %d: %v", f.Kind, f.ID, f.Entry, f.Err)
}

// store is for whom revisions are made.
type store struct {
	id       subjects.StoreID
	prefixes []string // of the chain's cards, while no setting names them
}

// revise makes the revision of a catalogue. What has not changed since before, which may be nil, is taken over.
// With faults it is what is left without the documents at fault.
func revise(c *catalogue.Catalogue, of store, before *Revision) *Revision {
	r := &Revision{number: pricing.BaseRevision, of: of, catalogue: c}
	switch entry := c.Revision(); {
	case entry > math.MaxUint32:
		// A receipt's header has 32 bits for the revision, and they are enough: entries begin at the seconds since
		// 1970 and grow by one for up to 500 records. Till 2106 there is room for 2,500 million more than the clock
		// brings: an import of 200,000 items, 1,000 entries at most, every half minute for 80 years. Should it
		// happen all the same, a number cut short would name another revision; so this one is not gone by.
		r.faults = append(r.faults, Fault{"revision", fmt.Sprint(entry), entry, errors.New("its number has more than 32 bits")})
	case entry > 0:
		r.number = uint32(entry)
	}
	if before != nil && c.Same(before.catalogue, record.RefPromotion) && c.Same(before.catalogue, record.RefSet) {
		r.rules, r.ruleFaults = before.rules, before.ruleFaults
	} else {
		r.rules, r.ruleFaults = compile(c)
	}
	if before != nil && c.Same(before.catalogue, record.RefSetting) {
		r.settings = before.settings
	} else {
		r.settings = readSettings(c, of)
	}
	r.faults = append(append(r.faults, r.ruleFaults...), r.settings.faults...)
	r.policies()
	return r
}

// Number is the revision's name, which quotes and receipts have: the catalogue's, or 1, the base programme's,
// if no catalogue has ever come.
func (r *Revision) Number() uint32 { return r.number }

// Pricing gives the programme for a currency.
func (r *Revision) Pricing(currency string) *pricing.Programme {
	if p, ok := r.byCurrency[currency]; ok {
		return p
	}
	decimals, _ := pricing.Exponent(currency) // another currency is refused by what prices
	return r.byDecimals[decimals]
}

// Store is the store for which it prices.
func (r *Revision) Store() subjects.StoreID { return r.of.id }

// In gives the same revision as another store has it: its clock, its sets, its country's phone numbers. What is
// priced by it is what that store's own nodes give.
func (r *Revision) In(id subjects.StoreID) *Revision {
	if id == r.of.id {
		return r
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if there := r.elsewhere[id]; there != nil {
		return there
	}
	of := store{id, r.of.prefixes}
	there := &Revision{
		number: r.number, of: of, catalogue: r.catalogue, faults: r.faults, rules: r.rules, ruleFaults: r.ruleFaults,
		settings: readSettings(r.catalogue, of), byCurrency: r.byCurrency, byDecimals: r.byDecimals,
	}
	if r.elsewhere == nil || len(r.elsewhere) == elsewhereKept {
		r.elsewhere = map[subjects.StoreID]*Revision{}
	}
	r.elsewhere[id] = there
	return there
}

// Scanner reads codes as the chain's are.
func (r *Revision) Scanner() *scan.Scanner { return r.settings.scanner }

// Zone is that of the store's clock.
func (r *Revision) Zone() *time.Location { return r.settings.place.Zone }

// StoreSets are those that the store is in.
func (r *Revision) StoreSets() []string { return r.settings.place.Sets }

// compile reads promotions and sets one by one, so that each that is wrong can be named.
func compile(c *catalogue.Catalogue) (*pricing.Programme, []Fault) {
	var faults []Fault
	fault := func(kind record.RefKind, d *catalogue.Document, err error) {
		faults = append(faults, Fault{kind.String(), d.ID, d.Entry, err})
	}
	rules := pricing.Rules{Revision: pricing.BaseRevision}
	known := map[string]bool{promotion.All: true}
	for _, d := range c.Documents(record.RefSet) {
		sets, err := promotion.ReadSetsJSON(d.JSON)
		if err == nil && (len(sets) != 1 || sets[0].ID != d.ID) {
			err = errors.New("want one set, of its own id")
		}
		if err != nil {
			fault(record.RefSet, &d, err)
			continue
		}
		known[d.ID] = true
		rules.Sets = append(rules.Sets, normal(sets[0]))
	}
	for _, d := range c.Documents(record.RefPromotion) {
		docs, err := promotion.ReadJSON(d.JSON)
		if err == nil && (len(docs) != 1 || docs[0].ID != d.ID) {
			err = errors.New("want one promotion, of its own id")
		}
		for i := 0; err == nil && i < len(docs[0].Sets()); i++ {
			if id := docs[0].Sets()[i]; !known[id] {
				err = fmt.Errorf("there is no product set %s", id)
			}
		}
		if err != nil {
			fault(record.RefPromotion, &d, err)
			continue
		}
		rules.Promotions = append(rules.Promotions, docs[0])
	}
	p, err := pricing.Compile(rules)
	if err != nil { // each was looked at: it is not one of them, but how they go together
		faults = append(faults, Fault{"revision", fmt.Sprint(c.Revision()), c.Revision(), err})
		p, _ = pricing.Compile(pricing.Rules{Revision: rules.Revision}) // nothing in it can be wrong
	}
	return p, faults
}

// normal gives a set with its items' codes in the form in which lines have them.
func normal(s promotion.Set) promotion.Set {
	if s.Include != nil {
		in := *s.Include
		in.Items = normalCodes(in.Items)
		s.Include = &in
	}
	s.Exclude.Items = normalCodes(s.Exclude.Items)
	return s
}

func normalCodes(codes []string) []string {
	out := make([]string, 0, len(codes))
	seen := make(map[string]bool, len(codes))
	for _, code := range codes {
		if n, err := record.ItemCode(code); err == nil {
			code = n
		}
		if !seen[code] { // a set that named one item as EAN and as GTIN would hold it twice
			seen[code] = true
			out = append(out, code)
		}
	}
	return out
}

// Returns is the chain's policy for what is given back.
func (r *Revision) Returns() setting.Returns { return r.settings.returns }

// readSettings reads what is set. A setting that is wrong counts as not there.
func readSettings(c *catalogue.Catalogue, of store) (s settings) {
	document := func(id string, read func([]byte) error) {
		d, ok := c.Document(record.RefSetting, id)
		if !ok {
			return
		}
		if err := read(d.JSON); err != nil {
			s.faults = append(s.faults, Fault{record.RefSetting.String(), id, d.Entry, err})
		}
	}
	document(setting.ProgrammeID, func(b []byte) error {
		p, err := setting.ReadProgramme(b)
		if err == nil {
			s.programme = p
		}
		return err
	})
	document(setting.ReturnsID, func(b []byte) (err error) {
		s.returns, err = setting.ReadReturns(b)
		return err
	})
	s.place.Zone = time.UTC
	document(setting.StoresID, func(b []byte) error {
		all, err := setting.ReadStores(b)
		if err != nil {
			return err
		}
		place, err := all.Of(of.id)
		if err == nil {
			s.place = place
		}
		return err
	})
	cfg := scan.Config{Country: s.place.Country}
	for _, p := range of.prefixes {
		cfg.Cards = append(cfg.Cards, setting.Cards{Prefix: p, Check: setting.CheckNone})
	}
	document(setting.ScanID, func(b []byte) error {
		set, err := setting.ReadScan(b)
		if err != nil {
			return err
		}
		if s.place.Country != "" {
			set.Country = s.place.Country
		}
		scanner, err := scan.New(set)
		if err == nil {
			s.scanner = scanner
		}
		return err
	})
	if s.scanner == nil {
		var err error
		if s.scanner, err = scan.New(cfg); err != nil { // a country whose phones nobody knows
			d, _ := c.Document(record.RefSetting, setting.StoresID)
			s.faults = append(s.faults, Fault{record.RefSetting.String(), setting.StoresID, d.Entry, err})
			cfg.Country = ""
			s.scanner, _ = scan.New(cfg) // Open has looked at the prefixes
		}
	}
	return s
}

// policies makes the programmes of all currencies.
func (r *Revision) policies() {
	set := &r.settings.programme
	with := func(points pricing.PointsPolicy) *pricing.Programme {
		p, err := r.rules.With(r.number, pricing.Policy{
			MaxLineDiscount: set.MaxLineDiscount.Hundredths(), MaxBasketDiscount: set.MaxBasketDiscount.Hundredths(), Points: points,
		})
		if err != nil { // the setting passed its own check: pricing knows better
			d, _ := r.catalogue.Document(record.RefSetting, setting.ProgrammeID)
			r.faults = append(r.faults, Fault{record.RefSetting.String(), setting.ProgrammeID, d.Entry, err})
			return r.rules
		}
		return p
	}
	r.byCurrency = make(map[string]*pricing.Programme, len(set.Currencies))
	for code, c := range set.Currencies {
		r.byCurrency[code] = with(pricing.PointsPolicy{
			Earn: pricing.Rate(c.Earn), Value: pricing.Rate(c.Value), Block: c.Block, MinSpend: c.MinSpend, MaxShare: c.MaxShare.Hundredths(),
		})
	}
	unit := int64(1)
	for i := range r.byDecimals {
		points := pricing.PointsPolicy{Earn: pricing.Rate{Points: 1, Amount: unit}}
		if len(set.Currencies) > 0 {
			points = pricing.PointsPolicy{}
		}
		r.byDecimals[i] = with(points)
		unit *= 10
	}
}
