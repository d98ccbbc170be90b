package leaf

// Link gives a number that changes when the link upward is made anew, and whether it is up.
func (l *Leaf) Link() (id uint64, up bool) { return l.link() }
