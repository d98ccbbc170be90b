package api

import "tillstream/edge/scan"

// holdsPaymentCard reports whether text holds the number of a payment card: see scan.
func holdsPaymentCard(text string, item bool, own []string) bool {
	return scan.HoldsPaymentCard(text, item, own)
}

// mask is what may be shown of a card's number: never more than half of it, at most four characters.
func mask(number string) string {
	return "******" + number[len(number)-min(4, len(number)/2):]
}
