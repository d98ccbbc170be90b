package bench

import (
	"context"
	"time"
)

// part is one question that the bench answers, in some rows.
type part struct {
	name  string
	about string
	takes time.Duration // on two idle cores
	quick time.Duration
	run   func(*bench, context.Context) ([]Result, error)
}

func (p part) lasts(quick bool) time.Duration {
	if quick {
		return p.quick
	}
	return p.takes
}

// parts lists them in the order in which they run: what wants an idle machine first.
func parts() []part {
	s := time.Second
	return []part{
		{"pricing", "a basket is priced, on one core", 25 * s, 4 * s, (*bench).pricing},
		{"quote", "a till prices a basket, over HTTP", 60 * s, 15 * s, (*bench).quote},
		{"lookup", "a till looks one of 1,000,000 shoppers up, over HTTP", 60 * s, 8 * s, (*bench).lookup},
		{"till_commit", "a till keeps a receipt, over HTTP", 15 * s, 4 * s, (*bench).tillCommit},
		{"edge_cache", "an edge node with 1,000,000 cached shoppers", 60 * s, 5 * s, (*bench).edgeCache},
		{"lone", "one receipt at a time, till to books", 15 * s, 5 * s, (*bench).lone},
		{"books_restart", "books reopened from a snapshot", 90 * s, 8 * s, (*bench).booksRestart},
		{"feed", "1,000 stores pull from one centre node", 25 * s, 10 * s, (*bench).feed},
		{"reference", "an item master falls to a new store", 30 * s, 8 * s, (*bench).reference},
		{"takeover", "the centre's writer, or the stream's leader, is killed", 100 * s, 40 * s, (*bench).takeover},
		{"chain", "tills to books, the whole chain", 65 * s, 20 * s, (*bench).chain},
		{"centre", "packs of receipts to books on three nodes", 25 * s, 10 * s, (*bench).centre},
		{"flow", "activities to the queue of messages on three nodes", 120 * s, 20 * s, (*bench).flow},
		{"screen", "a receipt earns a reward, till to screen", 60 * s, 20 * s, (*bench).screen},
		{"tim", "a node with 1,000,000 attempts in TIM's bucket", 90 * s, 10 * s, (*bench).tim},
		{"msq", "a shopper comes, among 1,000,000 messages that wait", 120 * s, 15 * s, (*bench).msq},
		{"online_retail", "a year of receipts with faults, on one disk", 60 * s, 30 * s, (*bench).onlineRetail},
		{"books", "1,024 callers post to the books", 45 * s, 20 * s, (*bench).books},
	}
}
