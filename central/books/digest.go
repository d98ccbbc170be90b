package books

import (
	"encoding/binary"
	"math/bits"

	"tillstream/kv/record"
)

// digest sums a value for each account and chain, so that a change costs one subtraction and one addition,
// the order does not matter, and the whole is never walked. The values were SHA-256, four of them a receipt
// on every node. Nodes that differ are to be found, not forgers, who could write a node's memory anyhow: two
// multiplications a word in each of two lanes are enough, and what is shown is the SHA-256 of the sums.
type digest [2]uint64

func (d *digest) add(v digest) {
	d[0] += v[0]
	d[1] += v[1]
}

func (d *digest) sub(v digest) {
	d[0] -= v[0]
	d[1] -= v[1]
}

// with takes one more word into a value.
func (d digest) with(w uint64) digest {
	return digest{mum(d[0]^w, 0x9e3779b97f4a7c15), mum(d[1]^bits.RotateLeft64(w, 32), 0xd6e8feb86659fd93)}
}

// mum folds the product of two words into one.
func mum(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a // the word itself too: a product with zero would forget what came before
}

// id takes the two words of an id in.
func (d digest) id(b *[16]byte) digest {
	return d.with(binary.BigEndian.Uint64(b[:])).with(binary.BigEndian.Uint64(b[8:]))
}

// Seeds of the values: an account is never a chain.
func accountSeed() digest { return digest{0xa0761d6478bd642f, 0xe7037ed1a0b428db} }
func chainSeed() digest   { return digest{0x8ebc6af09c88c6e3, 0x589965cc75374cc3} }
func restedSeed() digest  { return digest{0x1d8e4e27c47d124f, 0xeb44accab455d165} }
func holdSeed() digest    { return digest{0x2d358dccaa6c78a5, 0x8bb84b93962eacc9} }
func couponSeed() digest  { return digest{0x4b33a62ed433d4a3, 0x4d5a2da51de1aa47} }
func dealSeed() digest    { return digest{0x9fb21c651e98df25, 0xa4093822299f31d1} }
func waitSeed() digest    { return digest{0x243f6a8885a308d3, 0x13198a2e03707345} }

// words takes a list in.
func (d digest) words(ls *lists, head uint32) digest {
	for ; head != 0; head = ls.at(head).next {
		for _, w := range ls.at(head).words[:ls.at(head).n] {
			d = d.with(w)
		}
	}
	return d.with(0)
}

// accountSum is the account's share of the digest.
func (b *Books) accountSum(acc *account) digest {
	d := accountSeed().id((*[16]byte)(&acc.id)).with(uint64(acc.balance)).with(uint64(acc.debt)).with(acc.changed)
	switch {
	case acc.lots == 0:
		return d
	case acc.lots&oneLot != 0:
		return d.with(uint64(acc.lots))
	}
	return d.words(b.lists, acc.lots)
}

func (c *chain) sum() digest {
	d := chainSeed().id((*[16]byte)(&c.id)).with(c.seq).id((*[16]byte)(c.hash[:16]))
	if c.fork {
		d = d.with(1)
	}
	return d
}

func (r *rested) sum() digest {
	return restedSeed().id((*[16]byte)(&r.id)).with(uint64(r.seq)).with(binary.BigEndian.Uint64(r.tail[:]))
}

// hash is what is shown of the sums, the totals and the policy. What books without holds, lots and a policy
// had before there were any is their digest still: checkpoints of archives say it.
func (d digest) hash(t *Totals, p *Policy) record.Hash {
	b := append(make([]byte, 0, 256), 't')
	b = record.AppendU64(record.AppendU64(b, d[0]), d[1])
	b = t.append(b)
	if t.Moves != 0 || t.Held != 0 || t.Redeemed != 0 || t.Expired != 0 || p.Revision != 0 {
		b = p.append(t.appendMore(b))
	}
	return sumOf(b)
}
