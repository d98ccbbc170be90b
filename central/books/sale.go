package books

import "tillstream/kv/record"

// EntryRange says that a record lies in one of the entries From to To.
type EntryRange struct{ From, To uint64 }

// Sale says where in the journal the records of a sale and of its returns lie. Nothing is known yet.
func (b *Books) Sale(record.RID) (where []EntryRange, known bool) { return nil, false }
