// Package pricing turns a basket into a quote: what each line costs, what the basket costs, and the
// points that go with it. It is pure: no clock, no disk, no network. The same basket under the same
// programme gives the same quote anywhere, in whatever order the lines come.
//
// # Numbers
//
// Money is an int64 in minor units of the basket's one currency, at most [MaxMoney] either way, and
// prices contain tax. Quantities are decimal strings with at most three decimals. Nothing is ever a
// float; a product is rounded once, to the minor unit, halves away from zero, and what does not fit
// is refused, never cut.
//
// # Base programme
//
// [Base] is the one rule there is so far: a sale earns one point per whole unit of its currency (1.00
// euro, 1 yen, 1.000 dinar) of its total, and a return takes back as many for its own total.
// Promotions come between the gross amounts and the total later.
//
// # Failure
//
// What is wrong with a basket is a [FieldError]: a JSON pointer into the basket and a reason. Neither
// repeats a value of the basket.
package pricing
