package laws

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central"
	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Examine reads the journal of a centre whose nodes run in this process, and the books that each of them
// has made of it. Receipts that come in meanwhile make it wait, and with a steady stream of them it ends
// with ctx. What POS terminals sent is for the caller to fill in.
func Examine(ctx context.Context, net subjects.Net, nodes []*central.Node) (History, error) {
	var h History
	if len(nodes) == 0 {
		return h, fmt.Errorf("examine the centre: no node runs")
	}
	for {
		entry, err := level(ctx, nodes)
		if err != nil {
			return h, err
		}
		if h.Journal, err = readJournal(ctx, net, nodes[0]); err != nil {
			return h, err
		}
		h.Nodes = h.Nodes[:0]
		accounts := h.accounts()
		for _, n := range nodes {
			b, err := readBooks(ctx, n, accounts)
			if err != nil {
				return h, err
			}
			h.Nodes = append(h.Nodes, b)
		}
		same := uint64(len(h.Journal)) == entry
		for i := range h.Nodes {
			same = same && h.Nodes[i].Entry == entry
			if i > 0 && h.Nodes[i].Rows == h.Nodes[0].Rows {
				h.Nodes[i].Fates, h.Nodes[i].Postings, h.Nodes[i].Incidents = nil, nil, nil
			}
		}
		if same {
			return h, nil
		}
	}
}

// accounts are all that the journal names.
func (h *History) accounts() []record.AccountID {
	seen := map[record.AccountID]bool{{}: true}
	var out []record.AccountID
	for i := range h.Journal {
		for _, p := range h.Journal[i].Packs {
			for _, run := range p.Runs {
				for k := range run {
					if id := run[k].Account; !seen[id] {
						seen[id] = true
						out = append(out, id)
					}
				}
			}
		}
	}
	return out
}

// look is how often a wait looks again.
const look = 10 * time.Millisecond

// level waits until somebody writes the journal and all nodes have folded the same entry.
func level(ctx context.Context, nodes []*central.Node) (uint64, error) {
	for {
		s := nodes[0].Replica().Status()
		same := s.Writer != "" && s.Entry > 0
		for _, n := range nodes {
			t := n.Replica().Status()
			same = same && t.Entry == s.Entry && t.Hash == s.Hash && !t.Broken
		}
		if same {
			return s.Entry, nil
		}
		if !sleep(ctx, look) {
			return 0, fmt.Errorf("examine the centre: its nodes do not come level: %w", context.Cause(ctx))
		}
	}
}

// readJournal reads the brand's journal from its first message.
func readJournal(ctx context.Context, net subjects.Net, n *central.Node) ([]Entry, error) {
	js, err := jetstream.New(n.Conn())
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	msgs, last, err := OpenJournal(ctx, js, net)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer msgs.Stop()
	var all []Entry
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("read journal after message %d of %d: %w", len(all), last, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		e, err := readEntry(m.Data())
		if err != nil {
			return nil, fmt.Errorf("read journal, message %d: %w", meta.Sequence.Stream, err)
		}
		e.Stream = meta.Sequence.Stream
		if all = append(all, e); e.Stream >= last {
			return all, nil
		}
	}
}

// OpenJournal begins to read a brand's journal, and says which message is the last. While the stream has no leader
// it answers nothing, and the next leader does not make up for that: so it is asked again, soon, until ctx ends.
func OpenJournal(ctx context.Context, js jetstream.JetStream, net subjects.Net) (jetstream.MessagesContext, uint64, error) {
	for {
		msgs, last, err := openJournal(ctx, js, net)
		if err == nil || !sleep(ctx, look) {
			return msgs, last, err
		}
	}
}

func openJournal(ctx context.Context, js jetstream.JetStream, net subjects.Net) (jetstream.MessagesContext, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, net.JournalStream())
	if err != nil {
		return nil, 0, err
	}
	cons, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, 0, err
	}
	msgs, err := cons.Messages(jetstream.PullMaxBytes(8 << 20))
	return msgs, stream.CachedInfo().State.LastSeq, err
}

// readEntry takes an entry's bytes apart. Each body is held to its header, and let go of.
func readEntry(data []byte) (Entry, error) {
	in, err := fold.Decode(data)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Number: in.Number, Term: in.Term, At: in.At, Generation: in.Generation, Ends: in.Ends,
		Prev: in.Prev, Hash: in.Hash()}
	if err := in.Open(true); err != nil {
		return e, err
	}
	for i := range in.Proposals {
		if head := in.Proposals[i].Head; books.IsCommand(head) {
			c, err := books.ReadCommand(head)
			if err != nil {
				e.Unreadable = append(e.Unreadable, fmt.Sprintf("proposal %d: %v", i, err))
			}
			e.Commands = append(e.Commands, Command{c, len(e.Packs), slices.Clone(head)})
			continue
		}
		p, err := books.ReadPack(in.Proposals[i].Head)
		if err == nil {
			err = p.ReadBodies(in.Proposals[i].Rest)
		}
		if err != nil {
			e.Unreadable = append(e.Unreadable, fmt.Sprintf("proposal %d: %v", i, err))
			continue
		}
		for _, run := range p.Runs {
			for k := range run {
				if !run[k].CheckBody() {
					e.Unreadable = append(e.Unreadable, fmt.Sprintf("the body of receipt %s is not the one that its header names", run[k].RID))
				}
				if kept, err := readKept(run[k].Data); err != nil {
					e.Unreadable = append(e.Unreadable, fmt.Sprintf("receipt %s: %v", run[k].RID, err))
				} else if kept != nil {
					if e.Kept == nil {
						e.Kept = map[record.Hash]*Kept{}
					}
					e.Kept[run[k].Body] = kept
				}
				if run[k].Kind == record.KindStart {
					run[k].Data = slices.Clone(run[k].Data) // the rest of the entry may go
				} else {
					run[k].Data = nil
				}
			}
		}
		e.Packs = append(e.Packs, p)
	}
	return e, nil
}

// readBooks reads what a node has made of the journal.
func readBooks(ctx context.Context, n *central.Node, accounts []record.AccountID) (Books, error) {
	b := Books{Shoppers: make(map[record.AccountID]record.Shopper, len(accounts))}
	var verdict books.Verdict
	var wrong error
	err := n.Replica().Read(ctx, 0, func(entry uint64) {
		b.Entry = entry
		b.Digest, b.Totals, b.Accounts = n.Books().Digest(), n.Books().Totals(), n.Books().Accounts()
		for _, id := range accounts {
			if s, ok := n.Books().Shopper(id); ok {
				b.Shoppers[id] = s
			}
		}
		if verdict, wrong = n.Books().Verify(n.Replica()); wrong == nil {
			wrong = b.readLines(n.Replica())
		}
	})
	if err != nil || wrong != nil {
		return b, fmt.Errorf("read books of node %s: %w", n.Replica().Status().Node, firstOf(err, wrong))
	}
	s := n.Replica().Status()
	b.Entry = s.Entry // it may have gone on since it was read: then Examine reads again
	b.Node, b.Hash, b.Generation, b.Wrong = s.Node.String(), s.Hash, s.Generation, verdict.Wrong
	return b, nil
}

// readLines reads the lines of a history, and their sum.
func (b *Books) readLines(h books.History) error {
	sum := sha256.New()
	err := h.Lines(func(_ uint64, payload []byte) error {
		sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(payload))))
		sum.Write(payload)
		return nil
	})
	if err != nil {
		return err
	}
	b.Rows = record.Hash(sum.Sum(nil))
	err = books.Tell(h, func(t *books.Told) error {
		if t.Fate == 0 && t.Account.IsZero() {
			b.Incidents = append(b.Incidents, Incident{t.Entry, t.Incident})
			return nil
		}
		if t.Fate != 0 {
			b.Fates = append(b.Fates, Fate{t.Chain, t.Seq, t.Fate, t.Entry, t.RID})
		}
		if !t.Account.IsZero() {
			b.Postings = append(b.Postings, Posting{t.Account, t.Posting})
		}
		return nil
	})
	// In the order of chains and of accounts, and of each as it came.
	slices.SortStableFunc(b.Fates, func(x, y Fate) int {
		return cmp.Or(bytes.Compare(x.Chain[:], y.Chain[:]), cmp.Compare(x.Seq, y.Seq))
	})
	slices.SortStableFunc(b.Postings, func(x, y Posting) int { return bytes.Compare(x.Account[:], y.Account[:]) })
	return err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
