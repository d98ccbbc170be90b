package subjects

// JournalStream is the name of the brand's journal stream.
func (n Net) JournalStream() string { return "journal_" + n.Brand.s }

// KeyRingBucket is the name of the brand's bucket of key ring copies.
func (n Net) KeyRingBucket() string { return "keyrings_" + n.Brand.s }
