package api

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-json/v2"

	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/edge/scan"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Limits of texts, in characters, and of lists. The document has the same.
const (
	maxLineID      = 36
	maxText        = 64 // item, receipt number, reference, card number
	maxDescription = 200
	maxTenders     = 100
	maxCoupons     = 20
	maxWait        = 2000 // milliseconds
	defaultWait    = 150
)

// decode reads one JSON object into v. It refuses unknown and repeated fields, another case, invalid
// UTF-8 and anything after the object. (encoding/json takes six times as long for a receipt.)
func decode(b []byte, v any) error { return json.Unmarshal(b, v, json.RejectUnknownMembers(true)) }

func invalid(field, reason string) error { return &pricing.FieldError{Field: field, Reason: reason} }

// Kinds of identifiers.
const (
	kindCard  = "card"
	kindPhone = "phone"
	kindToken = "token"
)

// reader turns bodies into drafts of records. It is pure but for the card key.
type reader struct {
	store subjects.StoreID
	till  subjects.TillID
	cards *seal.Cards
	own   []string // prefixes of the chain's own cards
	rules *programme.Revisions
}

// head is what a basket, a return and a void begin with.
type head struct {
	rid, store, till, operator string
	at, day                    string
	number, fiscal             string
	shopper                    *Who
	phones                     *scan.Scanner // by whose rules phone numbers are read; nil: this store's
}

func (b *Basket) head() head {
	return head{b.RID, b.Store, b.Till, b.Operator, b.At, b.BusinessDate, b.ReceiptNumber, b.FiscalNumber, b.Shopper, nil}
}

func (b *Return) head() head {
	return head{b.RID, b.Store, b.Till, b.Operator, b.At, b.BusinessDate, b.ReceiptNumber, b.FiscalNumber, b.Shopper, nil}
}

func (b *Void) head() head {
	return head{rid: b.RID, store: b.Store, till: b.Till, operator: b.Operator, at: b.At, day: b.BusinessDate}
}

// read checks a document's head and fills the record's header with it.
func (r *reader) read(d head, h *record.Header) (err error) {
	if err := r.readWho(d, h); err != nil {
		return err
	}
	if h.At, err = readTime(d.at); err != nil {
		return err
	}
	day, err := time.Parse(time.DateOnly, d.day)
	if err != nil || day.Year() < 1970 {
		return invalid("/business_date", "want a date as YYYY-MM-DD")
	}
	h.Day = uint32(day.Year()*10000 + int(day.Month())*100 + day.Day())
	return nil
}

// readWho is the part of read that a quote needs too.
func (r *reader) readWho(d head, h *record.Header) (err error) {
	if h.RID, err = record.ParseRID(d.rid); err != nil {
		return invalid("/rid", "want a UUID of version 7")
	}
	if err := r.place(d); err != nil {
		return err
	}
	for _, f := range [...]struct{ field, text string }{{"/receipt_number", d.number}, {"/fiscal_number", d.fiscal}} {
		if !isText(f.text, maxText) {
			return invalid(f.field, "want at most 64 printable characters")
		}
	}
	if d.shopper == nil {
		return nil
	}
	_, h.Account, err = r.identify("/shopper/identifier", d.shopper.Identifier, d.phones)
	return err
}

// identify gives an identifier's value in its one spelling, because two would be two accounts, and the account
// that it names: the keyed hash of that. A phone number is an account of its own, as a card's is, until somebody
// links them.
func (r *reader) identify(field string, id *Identifier, phones *scan.Scanner) (value string, account record.AccountID, err error) {
	if err := id.check(field, r.own); err != nil {
		return "", account, err
	}
	value = id.Value
	if id.Kind == kindPhone {
		if value = r.phone(phones, value); value == "" {
			return "", account, &atField{field + "/value", errPhone}
		}
	}
	return value, r.cards.Account(value), nil
}

// phone gives a number as E.164 has it, read by the rules of the store's country if it has no plus; empty: it is
// none; by a nil scanner this store's. One with a plus that nobody knows to be in use is taken as it is: countries
// open new ranges.
func (r *reader) phone(by *scan.Scanner, number string) string {
	if by == nil {
		by = r.rules.Now().Scanner()
	}
	e164, err := by.Phone(number)
	if err != nil && isPhone(number) {
		return number
	}
	return e164
}

// readTime gives the Unix milliseconds of an RFC 3339 time.
func readTime(s string) (int64, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || at.UTC().Year() < 1970 || at.UTC().Year() > 9999 {
		return 0, invalid("/at", "want a time as RFC 3339 has it, with its offset, in the years 1970 to 9999")
	}
	return at.UnixMilli(), nil
}

const notToken = "want 1 to 64 of a-z, 0-9, '_' and '-'"

// place checks that the document was made here.
func (r *reader) place(d head) error {
	for _, t := range [...]struct {
		field, value string
		ours         subjects.Token // zero: any
	}{{"/store", d.store, r.store.Token}, {"/till", d.till, r.till.Token}, {"/operator", d.operator, subjects.Token{}}} {
		if t.value == "" {
			continue
		}
		switch token, err := subjects.ParseToken(t.value); {
		case err != nil:
			return invalid(t.field, notToken)
		case !t.ours.IsZero() && token != t.ours:
			return &storeError{t.field}
		}
	}
	return nil
}

// check says what is wrong with an identifier. The last digit of the chain's own cards is checked as
// ISO/IEC 7812 has it, so that a misread card is told from one that is not known.
func (id *Identifier) check(field string, own []string) error {
	if id == nil {
		return invalid(field, "is needed")
	}
	if err := oneOf(field+"/entry", id.Entry, "", "scanned", "keyed", "tapped"); err != nil {
		return err
	}
	switch id.Kind {
	case kindCard:
		if !isCode(id.Value) {
			return invalid(field+"/value", "want 1 to 64 printable ASCII characters without blanks")
		}
		for _, prefix := range own {
			if strings.HasPrefix(id.Value, prefix) && strings.Trim(id.Value, "0123456789") == "" && !scan.Luhn(id.Value) {
				return &atField{field + "/value", errCheckDigit}
			}
		}
	case kindPhone: // read by the rules of the store's country: see identify
	default:
		return invalid(field+"/kind", "want card or phone")
	}
	return nil
}

// isPhone reports whether s is a number as E.164 has it, with its plus.
func isPhone(s string) bool {
	if len(s) < 9 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// isCode reports whether s is 1 to 64 printable ASCII characters without blanks. A blank in one of two
// spellings of a number would open two accounts.
func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxText
}

// isText reports whether s has at most limit characters and no control characters.
func isText(s string, limit int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) <= limit || utf8.RuneCountInString(s) <= limit
}

// oneOf refuses a word that is none of words.
func oneOf(field, word string, words ...string) error {
	for _, w := range words {
		if w == word {
			return nil
		}
	}
	if words[0] == "" {
		words = words[1:]
	}
	last := len(words) - 1
	return invalid(field, "want "+strings.Join(words[:last], ", ")+" or "+words[last])
}

// trains says whether nothing of a document is posted: its own word, or that of the caller's token.
func trains(c caller, said *bool) (bool, error) {
	if c.training && said != nil && !*said {
		return false, &atField{"/training", errTraining}
	}
	return c.training || said != nil && *said, nil
}

// paymentCard gives the first field of a head that holds the number of a payment card, or "".
func (d *head) paymentCard(own []string) string {
	for _, f := range [...]struct{ field, text string }{
		{"/rid", d.rid}, {"/receipt_number", d.number}, {"/fiscal_number", d.fiscal}, {"/store", d.store},
		{"/till", d.till}, {"/operator", d.operator}, {"/at", d.at}, {"/business_date", d.day},
	} {
		if holdsPaymentCard(f.text, false, own) {
			return f.field
		}
	}
	if d.shopper != nil {
		return d.shopper.Identifier.paymentCard("/shopper/identifier", own)
	}
	return ""
}

func (id *Identifier) paymentCard(at string, own []string) string {
	if id == nil {
		return ""
	}
	for _, f := range [...]struct{ name, text string }{{"value", id.Value}, {"kind", id.Kind}, {"entry", id.Entry}} {
		if holdsPaymentCard(f.text, false, own) {
			return at + "/" + f.name
		}
	}
	return ""
}
