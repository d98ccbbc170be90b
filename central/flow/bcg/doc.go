// Package bcg makes a message of an event with a decision, and brings it to the shopper's screen or into the queue.
//
// # Flow
//
// What document 004 says of it ("BCG, OSG & MSQ"; R95–R101), in this order:
//
//   - "filters and removes expired messages as well as those lacking a delivery preference". A message is worth
//     showing for [progress.Settings].MessageHours from what it tells of, and no longer than its reward can be spent.
//   - "Onsite message content is resolved by retrieving message templates via CSL": BCG says what the variables are,
//     CSL answers with the text.
//   - "For the REWARD_AWARDED message only, once it gets to the new cycle on Monday, BCG doesn't try to send it directly
//     to OSG, and instead it always goes to the queue." An attempt is an ISO week in the brand's time zone, whichever
//     zone its stores are in: if the event's lies before the current one, the message goes to MSQ. Other messages,
//     UNQUALIFICATION among them, go through to OSG. A brand can have the rule off.
//   - "BCG will send an onsite message to OSG, which will respond with a 200 code if the customer was onsite and message
//     was delivered or a 404 if the customer is not on-site. In the latter case, the message is queued in MSQ."
//
// What a message speaks of, where an event has several rewards: of those with a DECISION, for REWARD_AWARDED the last
// that was awarded by this event (its header ce-rewards), which has the greatest target; for other types the first that was not, which is the nearest. If
// there is none such, the last with a DECISION.
//
// Events of one account are handled one after the other, so that their messages come in their order.
//
// # Durability
//
// BCG keeps nothing. The message's id follows from the event's, so whatever comes twice is one message to OSG and MSQ:
// after a crash, a lost answer, or with several instances. A message that OSG has had before Monday and whose answer
// was lost goes to MSQ after it, with the same id.
//
// # Failure
//
// A time-out and any answer of OSG but 200 and 404 say nothing: BCG asks again, later, until the message has expired. So
// it does while CSL has no template, and while this node does not know the promotion yet. An event that is wrong, a
// question that is refused, and a template that wants what the event does not tell are never mended by repetition: the
// event goes to BCG's dead letters. Whatever becomes of a message is counted.
package bcg
