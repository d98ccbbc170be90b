package event

// ArrivedSince is a header of what OSG says on Net.OSGArrived: when the shopper came, RFC 3339. It is the same each time
// that it is said of one stay.
const ArrivedSince = "since"
