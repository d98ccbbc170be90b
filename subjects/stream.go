package subjects

// JournalStream is the name of the brand's journal stream.
func (n Net) JournalStream() string { return "journal_" + n.Brand.s }
