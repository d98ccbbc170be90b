// Package sales turns a chain's sales into receipts that a till can take: it reads them from a CSV
// file by a [Map], or generates them, and writes each as the JSON body of a till's HTTP API. It also
// makes the independent counts that the books, and with [Offers] the tills' quotes, are checked against.
//
// It shares no code with the system under test, but for the form of a rid and of the ids of stores
// and tills: what is wrong in pricing or in the books must not be wrong here in the same way.
//
// # Flow
//
// [Open] or [Read] takes the file, plain or gzip by its content, row by row. Rows belong to one
// receipt when they have its number (and its store and till, where the map names them), wherever in
// the file they stand; receipts come in the order of their first rows, and lines in the order of
// theirs. Rows that are exactly alike are all kept: two people may buy the same thing, and so may
// one person twice. The time of a receipt is that of its first row.
//
// # Failure
//
// A file that cannot be read to its end (a truncated gzip, say) is an error that names how many
// lines were read, and gives no receipts: half a file is never mistaken for a whole one.
//
// A row that cannot be read is refused, and the rest goes on; so the receipt it belongs to comes
// without it. Nothing is refused in silence: [Report] counts every refused row and names the first
// hundred refusals by line, and LinesRead is always the lines of all receipts plus RowsRefused.
//
// A quoted row that goes over several lines and is broken costs its first line only; the search goes
// on with the next one. A description longer than a till takes is cut: it changes no number.
//
// Refused as a row: bytes that are not UTF-8, a wrong number of fields, a quote out of place, a
// receipt number or item that is empty or too long for a till, a customer's number that no card can
// have, a quantity, price, amount or time that is none, a quantity of more than three decimals or a
// price of more than four (nothing is rounded but the amount of a line), an amount over
// [MaxAmount], a store or till that is no token, and a row that contradicts its receipt: the first
// customer that a receipt's rows name is its customer, a row that names another is refused, and a
// row that names none goes with the rest. The same holds for a return's mark where a column carries
// it.
//
// Refused whole, with all its rows: a receipt of more than [record.MaxLines] lines or
// [record.MaxBody] bytes, one whose total is over MaxAmount, and a return whose total is below zero
// (a sign that the map has the signs of returns wrong).
package sales
