package event

// OSGStatus is the documented code of OSG's answer, as a header (document 004 §1).
const OSGStatus = "status"

// Codes of OSG. Any other, and no answer, says nothing about the message.
const (
	OSGDelivered = "200"
	OSGNotOnSite = "404"
)

// ArrivedSince is a header of what OSG says on Net.OSGArrived: when the shopper came, RFC 3339. It is the same each time
// that it is said of one stay.
const ArrivedSince = "since"

// OSGLook is a header of a question to OSG: with it OSG looks into the bucket before it says that a shopper is not on
// site. MSQ asks so after it has queued a message.
const OSGLook = "look"
