package event

// ArrivedSince is a header of what OSG says on Net.OSGArrived: when the shopper came, RFC 3339. It is the same each time
// that it is said of one stay.
const ArrivedSince = "since"

// OSGLook is a header of a question to OSG: with it OSG looks into the bucket before it says that a shopper is not on
// site. MSQ asks so after it has queued a message.
const OSGLook = "look"
