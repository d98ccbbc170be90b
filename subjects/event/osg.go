package event

// OSGStatus is the documented code of OSG's answer, as a header (document 004 §1).
const OSGStatus = "status"

// Codes of OSG. Any other, and no answer, says nothing about the message.
const (
	OSGDelivered = "200"
	OSGNotOnSite = "404"
)
