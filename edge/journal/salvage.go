package journal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// salvageStep is how many runs one transaction of a salvage writes.
const salvageStep = 500

// Salvage says what became of a damaged file.
type Salvage struct {
	Aside   string // where the damaged file is now
	Records int    // records that are in the new file, in the chains they were in
	Rehomed int    // records behind a hole that went on in a new chain of this till
	Missing int    // records that the old tips name and that are in neither; a store's tills have them
}

// Salvaged says what Open had to salvage; nil if the file was sound.
func (j *Journal) Salvaged() *Salvage { return j.salvaged }

// salvage makes a new file of what can be read of the one at cfg.Path, and puts it in its place.
func salvage(cfg Config) (*Journal, error) {
	j, err := rebuild(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w, and cannot be salvaged: %w", ErrDamaged, err)
	}
	cfg.Log.Error("journal was salvaged", "path", cfg.Path, "aside", j.salvaged.Aside,
		"records", j.salvaged.Records, "rehomed", j.salvaged.Rehomed, "missing", j.salvaged.Missing)
	return j, nil
}

// A journal that has met damage leaves word of it beside its file, or the next Open, which does not look at all that
// upstream has, would find nothing wrong, and whoever reads there again would meet it again: a store that reads its
// tills' sales at every start started some thirty times a second.

var errSuspect = fmt.Errorf("%w: somebody has read it", ErrDamaged)

func suspicion(path string) string { return path + ".suspect" }

func suspect(path string) bool {
	_, err := os.Stat(suspicion(path))
	return err == nil
}

// accuse leaves that word.
func accuse(path string, log *slog.Logger) {
	if err := os.WriteFile(suspicion(path), nil, 0o600); err != nil {
		log.Warn("cannot note that the journal is damaged: the next start may not salvage it", "path", path, "err", err)
	}
}

// acquit takes it back.
func acquit(path string) error {
	if err := os.Remove(suspicion(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func rebuild(cfg Config) (*Journal, error) {
	path := cfg.Path + ".salvage"
	if err := makeWay(path, cfg.Log); err != nil {
		return nil, err
	}
	j, err := open(cfg, path)
	if err != nil {
		return nil, err
	}
	s, err := scanFile(cfg.Path, cfg.Ring)
	if err == nil {
		err = j.refill(s)
	}
	if err == nil {
		// From here on the new file holds all that could be read. The old one gets a second name first,
		// so that there is a journal under the first at every moment.
		err = j.replace()
	}
	if err != nil {
		return nil, errors.Join(err, j.file.close())
	}
	return j, nil
}

// makeWay removes what an earlier salvage left when the machine went down, unless another process is
// at it: that one has the file's lock.
func makeWay(path string, log *slog.Logger) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	f, err := openFile(path, log)
	if errors.Is(err, ErrLocked) {
		return err
	}
	err = os.Remove(path)
	if f != nil {
		err = errors.Join(err, f.close())
	}
	return err
}

func (j *Journal) replace() error {
	path := j.cfg.Path
	j.salvaged.Aside = path + ".damaged-" + j.cfg.Now().UTC().Format("20060102T150405.000000000")
	if err := os.Link(path, j.salvaged.Aside); err != nil {
		return err
	}
	if err := os.Rename(path+".salvage", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// refill copies what a scan found.
func (j *Journal) refill(s *scan) error {
	f, err := os.Open(j.cfg.Path)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	j.salvaged = &Salvage{}
	var behind []*piece
	for _, id := range s.order() {
		found := s.assemble(id, !j.cfg.Till.IsZero())
		if j.settled(s, found) {
			if err := j.bury(found.chain); err != nil {
				return fmt.Errorf("copy entry of chain %s: %w", id, err)
			}
			continue
		}
		if err := j.copy(f, s, found); err != nil {
			return fmt.Errorf("copy chain %s: %w", id, err)
		}
		behind = append(behind, found.behind...)
	}
	if !j.cfg.Till.IsZero() {
		if err := j.rehome(f, s, behind); err != nil {
			return fmt.Errorf("go on with records behind a hole: %w", err)
		}
	}
	j.salvaged.Missing = max(j.salvaged.Missing-j.salvaged.Rehomed, 0)
	return nil
}

// settled reports whether a chain was swept, or may have been: a scan also finds the free pages of
// chains that left long ago, and the centre, which forgets rids 45 days after it posted them, must not
// be sent those anew.
func (j *Journal) settled(s *scan, a assembled) bool {
	var kept int64
	for _, p := range s.pieces[a.id] {
		kept = max(kept, p.kept)
	}
	if young := kept > j.now()-j.cfg.Keep.Milliseconds(); young {
		return a.swept
	}
	return a.swept || !a.listed || a.posted >= a.was
}

// bury writes down that a chain was swept.
func (j *Journal) bury(c *chain) error {
	if c.start.Store.IsZero() {
		return nil // its entry is lost; its age will tell again
	}
	c.swept, c.tip.Seq, c.indexed, c.moved = true, max(c.tip.Seq, 1), 0, 0
	j.graves[c.id] = c.kept
	return j.file.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketChains).Put(c.id[:], sealChain(j.cfg.Ring, &c.state, c.confirmed, c.posted))
	})
}

// order gives the chains that were found, oldest first; those whose entry is lost by their id, which
// begins with the time.
func (s *scan) order() []record.ChainID {
	var ids []record.ChainID
	for id := range s.pieces {
		ids = append(ids, id)
	}
	for id := range s.chains {
		if s.pieces[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b record.ChainID) int {
		if ca, cb := s.chains[a], s.chains[b]; ca != nil && cb != nil {
			return cmp.Compare(ca.order, cb.order)
		}
		return slices.Compare(a[:], b[:])
	})
	return ids
}

// assembled is a chain as a scan found it.
type assembled struct {
	*chain          // with the tip that line reaches
	listed bool     // its entry was found
	was    uint64   // the tip's seq by its entry, or by its last piece
	line   []*piece // from its first record on, without a hole
	behind []*piece // behind the first hole
}

// assemble lines up the pieces of a chain from its first record on. A piece of a transaction that
// failed may compete with the one that was kept in its place: the later one, or the one whose hash the
// tip names, is right.
func (s *scan) assemble(id record.ChainID, own bool) assembled {
	a := assembled{chain: s.chains[id]}
	if a.listed = a.chain != nil; !a.listed {
		a.chain = &chain{state: state{id: id, own: own}}
	}
	a.was = a.tip.Seq
	right := func(p *piece) bool { return p.run.Last == a.was && p.hash == a.chain.tip.Hash }
	firsts := map[uint64][]*piece{}
	for _, p := range s.pieces[id] {
		firsts[p.run.First] = append(firsts[p.run.First], p)
	}
	tip := record.Tip{Chain: id}
	for {
		var best *piece
		for _, p := range firsts[tip.Seq+1] {
			if p.prev != tip.Hash {
				continue
			}
			if best == nil || right(p) || !right(best) && p.kept >= best.kept {
				best = p
			}
		}
		if best == nil {
			break
		}
		a.line = append(a.line, best)
		tip.Seq, tip.Hash = best.run.Last, best.hash
	}
	for _, p := range s.pieces[id] {
		if p.run.Last > tip.Seq {
			a.behind = append(a.behind, p)
			a.was = max(a.was, p.run.Last)
		}
	}
	slices.SortFunc(a.behind, func(a, b *piece) int { return cmp.Compare(a.run.First, b.run.First) })
	a.tip = tip
	return a
}

// copy writes a chain's pieces, and the chain with each step of them. Until the last step the tip is
// ahead of the runs; nobody reads the file before the salvage is done.
func (j *Journal) copy(f *os.File, s *scan, a assembled) error {
	if have := max(a.tip.Seq, a.posted); a.was > have {
		j.salvaged.Missing += int(a.was - have)
	}
	if len(a.line) == 0 {
		return nil
	}
	_, recs, err := s.load(f, a.line[0])
	if err != nil {
		return err
	}
	c := a.chain
	if c.start, err = record.ReadStart(recs[0].Data); err != nil {
		return err
	}
	j.order++
	c.order, c.kept, c.indexed = j.order, a.line[len(a.line)-1].kept, 0
	c.moved = min(c.moved, c.tip.Seq)
	if c.own {
		c.indexed = c.tip.Seq // copyRun sees to it
	}
	for step := range slices.Chunk(a.line, salvageStep) {
		err := j.file.update(func(tx *bbolt.Tx) error {
			for _, p := range step {
				if err := j.copyRun(tx, f, s, c, p); err != nil {
					return err
				}
			}
			return tx.Bucket(bucketChains).Put(c.id[:], sealChain(j.cfg.Ring, &c.state, c.confirmed, c.posted))
		})
		if err != nil {
			return err
		}
	}
	j.chains[c.id] = c
	j.salvaged.Records += int(c.tip.Seq)
	return nil
}

func (j *Journal) copyRun(tx *bbolt.Tx, f *os.File, s *scan, c *chain, p *piece) error {
	run, recs, err := s.load(f, p)
	if err != nil {
		return err
	}
	if c.own {
		for i := range recs {
			if recs[i].Kind == record.KindStart {
				continue
			}
			if err := tx.Bucket(bucketRIDs).Put(recs[i].RID[:], at{c.id, recs[i].Seq}.bytes()); err != nil {
				return err
			}
		}
	}
	return tx.Bucket(bucketRuns).Put(p.key, sealRun(j.cfg.Ring, bucketRuns, run, p.kept))
}

// rehome commits the records behind a hole to the chain of this process. Their rids say what they are:
// those that upstream has already are repeats there.
func (j *Journal) rehome(f *os.File, s *scan, behind []*piece) error {
	for step := range slices.Chunk(behind, salvageStep) {
		var entries []*entry
		for _, p := range step {
			_, recs, err := s.load(f, p)
			if err != nil {
				return err
			}
			for i := range recs {
				if recs[i].Kind != record.KindStart {
					entries = append(entries, &entry{commit: true, rec: recs[i], done: make(chan struct{})})
				}
			}
		}
		j.queue.waiting = entries // nobody else has this journal yet
		j.work()
		for _, e := range entries {
			switch {
			case errors.Is(e.err, ErrOtherBody): // a till that gave one rid to two receipts; it answered one
			case e.err != nil:
				return e.err
			case !e.repeated:
				j.salvaged.Rehomed++
			}
		}
	}
	return nil
}
