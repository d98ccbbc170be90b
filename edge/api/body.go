package api

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-json/v2"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// The requests' JSON, as openapi.yaml has it. A pointer says that zero and absent differ.
type (
	lookupBody struct {
		Identifier *identifierBody `json:"identifier"`
		WaitMS     *int64          `json:"wait_ms"`
	}
	identifierBody struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
		Entry string `json:"entry"`
	}
	receiptBody struct {
		RID           string       `json:"rid"`
		ReceiptNumber string       `json:"receipt_number"`
		Store         string       `json:"store"`
		Till          string       `json:"till"`
		Operator      string       `json:"operator"`
		At            string       `json:"at"`
		BusinessDate  string       `json:"business_date"`
		Currency      string       `json:"currency"`
		Shopper       *shopperBody `json:"shopper"`
		Lines         []lineBody   `json:"lines"`
		Tenders       []tenderBody `json:"tenders"`
	}
	shopperBody struct {
		Identifier *identifierBody `json:"identifier"`
	}
	lineBody struct {
		LineID      string `json:"line_id"`
		Item        string `json:"item"`
		Description string `json:"description"`
		Quantity    string `json:"quantity"`
		Unit        string `json:"unit"`
		UnitPrice   *int64 `json:"unit_price"`
		Amount      *int64 `json:"amount"`
	}
	tenderBody struct {
		Kind      string `json:"kind"`
		Amount    *int64 `json:"amount"`
		Reference string `json:"reference"`
	}
)

// Limits of texts, in characters, and of lists.
const (
	maxLineID      = 36
	maxText        = 64 // item, receipt number, reference, card number
	maxDescription = 200
	maxTenders     = 100
	maxWait        = 2000 // milliseconds
	defaultWait    = 150
)

// decode reads one JSON object into v. It refuses unknown and repeated fields, another case, invalid
// UTF-8 and anything after the object. (encoding/json takes six times as long for a receipt.)
func decode(b []byte, v any) error { return json.Unmarshal(b, v, json.RejectUnknownMembers(true)) }

func invalid(field, reason string) error { return &pricing.FieldError{Field: field, Reason: reason} }

// reader turns bodies into drafts of records. It is pure but for the card key.
type reader struct {
	store     subjects.StoreID
	till      subjects.TillID
	cards     *seal.Cards
	own       []string // prefixes of the chain's own cards
	programme pricing.Plain
}

// receipt reads a body and prices it. The draft lacks what the journal adds.
func (r *reader) receipt(kind record.Kind, b []byte) (record.Receipt, pricing.Sum, error) {
	var (
		body  receiptBody
		draft record.Receipt
		quote pricing.Sum
	)
	if len(b) > record.MaxBody {
		return draft, quote, errTooLarge
	}
	if err := decode(b, &body); err != nil {
		return draft, quote, err
	}
	if len(body.Lines) > record.MaxLines {
		return draft, quote, errTooMany
	}
	if field := body.paymentCard(r.own); field != "" {
		return draft, quote, &cardError{field}
	}
	draft.Kind, draft.Data = kind, b
	if err := r.head(&body, &draft.Header); err != nil {
		return draft, quote, err
	}
	quote, err := price(kind, &body, r.programme)
	if err != nil {
		return draft, quote, err
	}
	draft.Rules = quote.Revision
	if !draft.Account.IsZero() {
		draft.Points = quote.Points
	}
	return draft, quote, body.checkTenders()
}

// head checks what is not a line and fills the record's header with it.
func (r *reader) head(body *receiptBody, h *record.Header) (err error) {
	if h.RID, err = record.ParseRID(body.RID); err != nil {
		return invalid("/rid", "want a UUID of version 7")
	}
	at, err := time.Parse(time.RFC3339, body.At)
	if err != nil || at.UTC().Year() < 1970 || at.UTC().Year() > 9999 {
		return invalid("/at", "want a time as RFC 3339 has it, with its offset, in the years 1970 to 9999")
	}
	h.At = at.UnixMilli()
	day, err := time.Parse(time.DateOnly, body.BusinessDate)
	if err != nil || day.Year() < 1970 {
		return invalid("/business_date", "want a date as YYYY-MM-DD")
	}
	h.Day = uint32(day.Year()*10000 + int(day.Month())*100 + day.Day())
	if err := r.place(body); err != nil {
		return err
	}
	if !isText(body.ReceiptNumber, maxText) {
		return invalid("/receipt_number", "want at most 64 printable characters")
	}
	if body.Shopper == nil {
		return nil
	}
	if err := body.Shopper.Identifier.check("/shopper/identifier"); err != nil {
		return err
	}
	h.Account = r.cards.Account(body.Shopper.Identifier.Value)
	return nil
}

// place checks that the receipt was made here.
func (r *reader) place(body *receiptBody) error {
	for _, t := range [...]struct {
		field, value string
		ours         subjects.Token // zero: any
	}{{"/store", body.Store, r.store.Token}, {"/till", body.Till, r.till.Token}, {"/operator", body.Operator, subjects.Token{}}} {
		if t.value == "" {
			continue
		}
		switch token, err := subjects.ParseToken(t.value); {
		case err != nil:
			return invalid(t.field, "want 1 to 64 of a-z, 0-9, '_' and '-'")
		case !t.ours.IsZero() && token != t.ours:
			return &storeError{t.field}
		}
	}
	return nil
}

func (id *identifierBody) check(field string) error {
	if id == nil {
		return invalid(field, "is needed")
	}
	if id.Kind != "card" {
		return invalid(field+"/kind", "want card")
	}
	switch id.Entry {
	case "", "scanned", "keyed", "tapped":
	default:
		return invalid(field+"/entry", "want scanned, keyed or tapped")
	}
	if len(id.Value) == 0 || len(id.Value) > maxText {
		return invalid(field+"/value", "want 1 to 64 characters")
	}
	for i := range len(id.Value) {
		// A blank in one of two spellings of a number would open two accounts.
		if c := id.Value[i]; c <= ' ' || c > '~' {
			return invalid(field+"/value", "want printable ASCII characters without blanks")
		}
	}
	return nil
}

// price checks the lines' texts and prices them.
func price(kind record.Kind, body *receiptBody, p pricing.Plain) (pricing.Sum, error) {
	if len(body.Lines) == 0 {
		return pricing.Sum{}, invalid("/lines", "want at least one line")
	}
	lines := make([]pricing.Line, len(body.Lines))
	for i := range body.Lines {
		l := &body.Lines[i]
		if name, reason := l.wrong(); reason != "" {
			return pricing.Sum{}, invalid("/lines/"+strconv.Itoa(i)+"/"+name, reason)
		}
		line := pricing.Line{
			LineID: l.LineID, Item: l.Item, Description: l.Description,
			Quantity: l.Quantity, Unit: l.Unit, Amount: l.Amount,
		}
		if l.UnitPrice != nil {
			line.UnitPrice = *l.UnitPrice
		}
		lines[i] = line
	}
	return pricing.Price(kind, body.Currency, lines, p)
}

// wrong names the field that is wrong with a line, and why; pricing checks the numbers.
func (l *lineBody) wrong() (field, reason string) {
	switch {
	case l.LineID == "" || !isText(l.LineID, maxLineID):
		return "line_id", "want 1 to 36 printable characters"
	case l.Item == "" || !isText(l.Item, maxText):
		return "item", "want 1 to 64 printable characters"
	case len(l.Description) > maxDescription && utf8.RuneCountInString(l.Description) > maxDescription:
		return "description", "want at most 200 characters"
	case l.UnitPrice == nil && l.Amount == nil:
		return "unit_price", "is needed where there is no amount"
	}
	return "", ""
}

func (body *receiptBody) checkTenders() error {
	if len(body.Tenders) > maxTenders {
		return invalid("/tenders", "want at most 100")
	}
	for i := range body.Tenders {
		t, at := &body.Tenders[i], "/tenders/"+strconv.Itoa(i)
		switch t.Kind {
		case "cash", "card", "voucher", "points", "other":
		default:
			return invalid(at+"/kind", "want cash, card, voucher, points or other")
		}
		if t.Amount == nil || *t.Amount > pricing.MaxMoney || *t.Amount < -pricing.MaxMoney {
			return invalid(at+"/amount", "want a whole number up to 1000000000000 either way")
		}
		if !isText(t.Reference, maxText) {
			return invalid(at+"/reference", "want at most 64 printable characters")
		}
	}
	return nil
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

// paymentCard gives the first field that holds the number of a payment card, or "".
func (body *receiptBody) paymentCard(own []string) string {
	for _, f := range [...]struct{ field, text string }{
		{"/rid", body.RID}, {"/receipt_number", body.ReceiptNumber}, {"/store", body.Store},
		{"/till", body.Till}, {"/operator", body.Operator}, {"/at", body.At},
		{"/business_date", body.BusinessDate}, {"/currency", body.Currency},
	} {
		if holdsPaymentCard(f.text, false, own) {
			return f.field
		}
	}
	if body.Shopper != nil {
		if field := body.Shopper.Identifier.paymentCard("/shopper/identifier", own); field != "" {
			return field
		}
	}
	for i := range body.Lines {
		if name := body.Lines[i].paymentCard(own); name != "" {
			return "/lines/" + strconv.Itoa(i) + "/" + name
		}
	}
	for i := range body.Tenders {
		for _, f := range [...]struct{ name, text string }{{"kind", body.Tenders[i].Kind}, {"reference", body.Tenders[i].Reference}} {
			if holdsPaymentCard(f.text, false, own) {
				return "/tenders/" + strconv.Itoa(i) + "/" + f.name
			}
		}
	}
	return ""
}

func (id *identifierBody) paymentCard(at string, own []string) string {
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

func (l *lineBody) paymentCard(own []string) string {
	switch {
	case holdsPaymentCard(l.Item, true, own):
		return "item"
	case holdsPaymentCard(l.Description, false, own):
		return "description"
	case holdsPaymentCard(l.LineID, false, own):
		return "line_id"
	case holdsPaymentCard(l.Quantity, false, own):
		return "quantity"
	case holdsPaymentCard(l.Unit, false, own):
		return "unit"
	}
	return ""
}
