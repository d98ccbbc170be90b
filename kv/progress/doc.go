// Package progress reads what the centre declares for the event flow: progress promotions ("five stamps this week"),
// which PPH hands out and CPP counts for, and the flow's [Settings], by which brands differ. It says what is wrong with
// a document when it is put, and knows the calendar of attempts: an attempt is an ISO week in the brand's time zone.
//
// It is pure. The zones of the world's clocks are compiled in.
package progress
