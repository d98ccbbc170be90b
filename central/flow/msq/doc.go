// Package msq is MSQ: messages of shoppers who are not on site wait here until they are (document 004 §1, §2; R99,
// R102).
//
// # Flow
//
// BCG, to which OSG has said that the shopper is not on site, puts a message on Net.MSQPut: it is in the bucket
// kv.Onsite when the answer comes, for as long as it is worth showing. Whoever comes between OSG's word and the bucket is
// OSG's to look after: it speaks of them again when the message must be there. So a message costs one write and no look.
//
// When OSG says on Net.OSGArrived that a shopper is there, MSQ lists what waits for them, and gives it to OSG in the
// order of its creation, one by one. 200: it is taken out. 404: the shopper has gone; it and what comes after stay.
// No answer: the same one again, for a few seconds; then the next word of OSG about the shopper, half a minute later,
// begins anew. A message that came by the Monday rule (REWARD_AWARDED of a cycle before the current one) waits for the
// shopper's next coming: it is given only if they came after it was put.
//
// The stage MSQ reads DeleteMessageInstructions: it leaves a tombstone, then takes out the messages that it names.
//
// # Several instances
//
// share questions, arrivals and the stage's consumer. Two that give one shopper's messages at once go the same way in
// the same order, and OSG shows each once.
//
// # Failure
//
//	where                                       what is there               what comes of it
//	put dies before it is in the bucket         nothing                     BCG has no answer, and puts it again
//	put dies after                              the message                 BCG puts it again: it is there; the same answer
//	OSG dies, who knew whom it had missed       the message                 the next word of OSG about the shopper
//	drain dies before OSG is asked              the message                 the same
//	drain dies while OSG is asked               the message, and a claim    the same; OSG says that it was shown
//	drain dies before the message is taken out  the message, shown          the same
//	word of OSG lost, or no instance            the message                 OSG's next word, half a minute later
//	deletion dies before the tombstone          the message                 the instruction comes again
//	deletion dies after                         tombstone and message       the instruction comes again; no drain shows it
//	deletion before its message                 tombstone, then both        no drain shows it; the first takes it out
//	deletion while the message is put           both                        the same
//	deletion while it is shown                  -                           the shopper sees it: OSG looks for the
//	                                                                        tombstone just before it asks a screen
//
// A tombstone stands for two cycles after the attempt's end. It names the type of message and the rewards that were
// spent: one that is earned once more in the same attempt has its message.
package msq
