package sales

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Body is the JSON that a till's API takes: POST /v1/receipts for a sale, POST /v1/returns for a
// return. Store and till are the tokens of the node it is sent to. The shopper is identified by the
// card that is given, or else by the receipt's customer; with neither the body has no shopper.
func (r *Receipt) Body(store, till string, card ...string) []byte {
	return r.AppendBody(make([]byte, 0, 384+104*len(r.Lines)), store, till, card...)
}

// AppendBody appends what Body gives to b.
func (r *Receipt) AppendBody(b []byte, store, till string, card ...string) []byte {
	b = append(b, `{"rid":"`...)
	b = append(b, r.RID.String()...)
	b = appendString(append(b, `","receipt_number":`...), r.Number)
	b = appendString(append(b, `,"store":`...), store)
	b = appendString(append(b, `,"till":`...), till)
	b = r.At.AppendFormat(append(b, `,"at":"`...), time.RFC3339)
	b = r.At.AppendFormat(append(b, `","business_date":"`...), time.DateOnly)
	b = appendString(append(b, `","currency":`...), r.Currency)
	shopper := r.Customer
	if len(card) > 0 {
		shopper = card[0]
	}
	if shopper != "" {
		b = appendString(append(b, `,"shopper":{"identifier":{"kind":"card","value":`...), shopper)
		b = append(b, `}}`...)
	}
	b = append(b, `,"lines":[`...)
	for i := range r.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.Lines[i].append(b, i+1)
	}
	return append(b, `]}`...)
}

func (l *Line) append(b []byte, id int) []byte {
	b = strconv.AppendInt(append(b, `{"line_id":"`...), int64(id), 10)
	b = appendString(append(b, `","item":`...), l.Item)
	b = appendString(append(b, `,"description":`...), l.Description)
	b = append(append(b, `,"quantity":"`...), l.Quantity...)
	b = strconv.AppendInt(append(b, `","amount":`...), l.Amount, 10)
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string. What is not UTF-8 becomes U+FFFD; Read lets none through.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				b = append(b, s[done:i]...)
				if c >= ' ' {
					b = append(b, '\\', c)
				} else {
					b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
				}
				done = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(append(b, s[done:i]...), "\uFFFD"...)
			done = i + 1
		}
		i += size
	}
	return append(append(b, s[done:]...), '"')
}
