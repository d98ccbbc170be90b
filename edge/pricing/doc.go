// Package pricing turns a basket into a quote: what each line costs and why, what the basket costs, the
// points that go with it, and for each promotion that was near why it does not apply. It is pure: no
// clock, no disk, no network. The same basket under the same [Programme] and [Engine] gives the same bytes
// anywhere, in whatever order lines, coupons and promotions come. The order of evaluation, the rounding
// and what a cap does are in DESIGN.md.
//
// # Flow
//
// [Compile] makes [Rules] (promotion documents, product sets, the brand's policy) a [Programme].
// [Programme.Quote] prices a [Basket]; coupon, limit, budget and segment state are part of it.
// [Programme.QuoteOn] does so on [Paper] that is used again, for whoever keeps no quotes. A
// [Quote.Return] gives back lines of the sale that a quote became, in parts if need be. [Price] adds up a
// receipt that has no quote: no promotion counts, points are earned by the rate of a [Plain].
//
// # Numbers
//
// Money is an int64 in minor units of the basket's one currency, at most [MaxMoney], and prices contain
// tax. Quantities are decimal strings with at most three decimals. Nothing is ever a float; products have
// 128 bits before they are divided, and what does not fit is refused, never cut.
//
// # To change it
//
// A mechanic lives in the file of its family (mechanic_*.go, points*.go) with a table of cases beside it;
// whatever it gives goes through settle or settleSpread in cuts.go, which hold floors, caps and budgets.
// Raise [Engine] when a number of any quote changes.
//
// # Failure
//
// What is wrong with a basket is a [FieldError]: a JSON pointer into the basket and a reason. Neither
// repeats a value of the basket. A promotion that cannot apply is no failure.
package pricing
