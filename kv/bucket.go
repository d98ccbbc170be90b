package kv

import (
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Bucket describes one bucket of a brand.
type Bucket struct {
	Name       string // in JetStream
	Holds      string
	Keys       []Key
	Permanent  bool   // a record never changes and is never removed
	Fades      bool   // a record may be put for a time only
	MaxValue   int    // bytes; 0: what a message takes
	Lost       string // what if it is lost
	RolledBack string // what if it is put back to yesterday
	ByHand     string // who may edit it
}

// Key is one kind of key.
type Key struct {
	Pattern string // with {placeholders} for tokens and hexadecimal digits
	Value   string // type of the value
	Builder string // what builds it in this package
}

// Stream is the name of the stream under the bucket.
func (b *Bucket) Stream() string { return "KV_" + b.Name }

// Subjects is what that stream keeps.
func (b *Bucket) Subjects() string { return "$KV." + b.Name + ".>" }

func (b *Bucket) subject(key string) string { return "$KV." + b.Name + "." + key }

// Buckets lists a brand's buckets but those of the flow.
func Buckets(brand subjects.BrandID) []Bucket {
	return []Bucket{Reference(brand), RingCopies(brand)}
}

// Reference is the bucket of what every store gets: items, promotions, product sets, settings.
func Reference(brand subjects.BrandID) Bucket {
	return Bucket{
		Name:  "reference_" + brand.String(),
		Holds: "what every store gets: items, promotions, product sets, settings",
		Keys: []Key{
			{ReferenceHead, "record.ReferenceHead: the parts that count, and the last entry", "ReferenceHead"},
			{"part.{id}", "record.References, S2: some of the records; never changed, let go of when no head names it", "ReferencePart"},
		},
		Lost:       "Stores go on with what they have. Make it anew (ops streams apply), restart the nodes of the centre one by one, import items and put promotions again: it is another generation, and every node takes it all anew.",
		RolledBack: "Nodes that are ahead of it keep what they have until its entries pass theirs. Delete the bucket instead, and go on as if it were lost.",
		ByHand:     "Nobody.",
	}
}

// ReferenceHead is the key of the reference bucket's head.
const ReferenceHead = "head"

// ReferencePart is the key of a part; id is hexadecimal digits.
func ReferencePart(id string) string { return "part." + id }

// RingCopies is the bucket of copies of the stores' key rings.
func RingCopies(brand subjects.BrandID) Bucket {
	return Bucket{
		Name:  "keyrings_" + brand.String(),
		Holds: "for each store's node, copies of its key ring that only the node itself opens",
		Keys: []Key{
			{KeyRing("{store}", "{id}"), "a key ring, sealed by its node; created once, never changed", "KeyRing"},
		},
		Permanent:  true,
		MaxValue:   record.MaxRingCopy,
		Lost:       "Nodes that run bring their copies again within the hour. A node whose disk is lost in the same hour cannot read a journal that was saved from it.",
		RolledBack: "The same.",
		ByHand:     "Nobody.",
	}
}

// KeyRing is the key of a copy of a store's key ring; id is hexadecimal digits.
func KeyRing(store, id string) string { return store + "." + id }
