package laws

import (
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Place is where a receipt was sold, or whose chain it is in.
type Place struct {
	Store subjects.StoreID
	Till  subjects.TillID
}

func (p Place) String() string { return p.Store.String() + "-" + p.Till.String() }

// Sale is a receipt or a return that a POS has sent to a till: what is in it was counted without any code of
// the system under test. The same receipt sent to another till is another Sale.
type Sale struct {
	RID      record.RID
	Kind     record.Kind
	Account  record.AccountID // zero: anonymous
	Points   int64            // earned, or taken back; zero if anonymous
	Body     record.Hash      // of the bytes that were sent
	At       Place
	Answered time.Time // when its till answered that it has it; zero: it never did

	// Of sales with a quote, and of returns and voids of a sale, which a till keeps with what it made of them.
	Asked time.Time        // when it was first sent
	Disk  int64            // of its till, from the first question to the answer; below zero: it was replaced meanwhile
	Bill  Bill             // a sale's: what its quote said, so Points, Spent and Hold are of it
	Spent int64            // points
	Hold  record.RID       // that it names
	Fact  bool             // it had happened when it was sent
	Of    record.RID       // the sale of a return or void. Points are those of a till that does not know it
	Back  map[string]int64 // thousandths of its lines; nil: all that is left
	Told  *Told            // nil: not answered
}

// Entry is one entry of the brand's journal.
type Entry struct {
	Number     uint64
	Stream     uint64 // sequence of its message
	Term       uint64
	At         int64 // Unix milliseconds
	Generation record.Generation
	Ends       record.Generation // the one before, of an entry that begins another after a restore
	Prev, Hash record.Hash
	Packs      []books.Pack          // headers; of bodies only those of start records
	Commands   []Command             // proposals that are no packs
	Unreadable []string              // what of it cannot be read, or is not what its header says
	Kept       map[record.Hash]*Kept // by the hash of a body: what a till has written behind it
}

// Command is a proposal that is no pack.
type Command struct {
	books.Command
	Behind int // so many packs
	Head   []byte
}

// Books is what one node of the centre has made of the journal.
type Books struct {
	Node       string
	Entry      uint64
	Hash       record.Hash // of the last entry folded
	Generation record.Generation
	Digest     record.Hash
	Rows       record.Hash // of all rows of its history
	Totals     books.Totals
	Shoppers   map[record.AccountID]record.Shopper // of all accounts that the journal names
	Accounts   int
	Wrong      []string // what its own verification found

	// The rows. A node whose Rows are those of the node before it has none here.
	Fates     []Fate
	Postings  []Posting
	Incidents []Incident
}

// Fate is a row of the books: what became of a record.
type Fate struct {
	Chain record.ChainID
	Seq   uint64
	Fate  books.Fate
	Entry uint64
	RID   record.RID
}

// Posting is a row of the books: a transaction in an account.
type Posting struct {
	Account record.AccountID
	books.Posting
}

// Incident is a row of the books: what ops should know.
type Incident struct {
	Entry uint64
	Text  string
}

// Tries is how tills answered while nothing was done to them.
type Tries struct {
	Number   int           // posts at tills that were up all the time
	Late     []string      // those without an answer within the deadline
	Refused  []string      // answers that were neither kept nor had before, at any time a till was up
	Deadline time.Duration // of one post
	Slowest  time.Duration
}

// Settled is how the chain came to rest after the last fault was undone.
type Settled struct {
	Backlog int           // receipts that were answered and not posted when all was whole again
	Took    time.Duration // until all were posted and known where they came from
}

// History is everything that the laws are held to.
type History struct {
	Sent    []Sale                // nil: nobody kept a journal of it, and laws that need one hold
	Excused map[record.RID]string // those of Sent whose last copy was taken away, and how
	Holds   []Hold                // that tills have said to stand
	Journal []Entry
	Nodes   []Books
	Tries   Tries
	Settled Settled
	Differs []string // what tills said of shoppers that the books do not say
	Meant   []string // parts of what incidents, forks and foreign records say that were provoked on purpose

	folded *model               // of Journal; nil until it is asked for
	dealt  map[record.RID]*deal // of Sent and Journal, likewise
}

// Violation is a law that does not hold.
type Violation struct {
	Law  string
	Text string
}

func (v Violation) String() string { return v.Law + ": " + v.Text }
