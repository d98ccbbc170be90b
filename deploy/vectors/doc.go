// Package vectors holds the basket engine to files of vectors: baskets with the quote that each must
// give, to the minor unit. It is the command `tillstream price`.
//
// # What is compared
//
// Each vector is priced as it stands and with its lines, promotions and coupons in other orders, and all
// of these must give the same bytes. Then every line, discount, promotion, total and point must be as
// expected, and nothing else may be there; a reason why not must have the code and the numbers that are
// expected, and may have more numbers. Expected returns are made from the quote, in their order.
package vectors
