// Package count is an independent count of points, holds, coupons and returns: what the books must come to, made
// from the rules and not from their code. It is maps, and does at once what the books leave to a sweep, and
// forgets nothing by itself. The tests of package books and the laws hold the books to it; no node runs it.
package count
