// Package promotion is what marketing declares: promotion documents and product sets, as JSON or YAML.
// It owns their format, promotion/v1: the Go types, the one strict reader, and the schema as a paper
// (schema.json, held to the reader by a test). It knows nothing of how a promotion is priced.
//
// # Numbers
//
// Money is a whole number of minor units. Percents, factors and quantities are strings in the documents
// ("12.5") and whole numbers here: hundredths of a percent, hundredths, thousandths. Nothing is a float.
// Times of validity and schedules are those of the store's clock and have no zone.
//
// # Strictness
//
// A typo must not cost a shopper a discount in silence. The reader refuses an unknown key, a key twice, a
// value of another type and every value that YAML 1.1 readers turn into something else (a plain on, no,
// 11:00, 2026-11-01): such text wants quotes. It reads the mechanic's branch by its type, so that what it
// says concerns the mechanic that was meant.
//
// # Failure
//
// What is wrong with a document is a [Faults]: for each fault a JSON pointer and what to do. No fault
// repeats a value but a key that is unknown.
package promotion
