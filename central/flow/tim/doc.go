// Package tim is TIM of document 004: it keeps the events that a brand cares for, lets each pass once, and parts regular
// events from unqualification (§1, §2, §4; R85–R89, R102, R104).
//
// # Flow
//
// TIM reads {brand}.cpp.enriched.events and goes by the headers: data passes as it came. An event without any tag of
// TIM_FILTER_TAG (the brand's setting tim_filter_tag) ends here, counted. An event that is news goes to
// {brand}.relevant.events or, with an unqualification tag, to {brand}.relevant.unqualification.events. If a reward was
// spent whose award had passed, MSQ is told with a DeleteMessageInstruction on msq.inbound.delete.{env}, where the
// brand's flavour has it on (delete_instruction).
//
// # What is news
//
// The document's picture of the RewardStateProcessor is not in its text; this is ours. For each accountId, promoCode and
// attemptId there is one state, and it only goes forward. The same event, by its id, is a repeat. Of another event, one of
// the rewards that it is about (header ce-rewards, event.RewardsOf) must be news in its status:
//
//   - REWARD_AWARDED: news once for each time that a reward is awarded (its times; a promotion that is not repeatable has
//     one). Not after the same was spent or has expired: an award that comes late is not shown any more.
//   - REWARD_SPENT and EXPIRED: news once for each time, the first of the two.
//   - COMPLETED: news once, before the award.
//   - IN_PROGRESS: each event is news, since progress 2 follows progress 1 in the same status, and goes back with a
//     return; but not one of before an award, of before the completion, or older, by CPP's stamp, than what has passed.
//   - UNQUALIFIED, the side state: news once, if nothing was awarded. After it only an award is, and what follows it: a
//     receipt of a store that was cut off may come after the week is over.
//
// What is no news is ignored and counted, never an error: "repeat" by its id, "older" by its status.
//
// # Durability
//
// States rest in the bucket attempts_{brand}, two weeks beyond the end of their attempt. A state is changed by
// compare-and-set, before the event is published, and names the messages that made it what it is, by their place in the
// stream: if TIM dies between the two, the message is delivered again, is known by its place, and is published then. A
// producer's repeat is another message, and is not. Lost states: what comes is taken as new, and shoppers may see messages
// of the last two weeks twice.
//
// The states used last are in memory too. A guess from there, or the guess that there is none yet, is tried without
// reading; the compare-and-set tells if it was wrong. It is never wrong where it says "no news": what is none for an older
// state is none for a later one.
//
// # Failure
//
// A bucket that does not answer: the event waits, for as long as it takes. An event of another type is rejected.
package tim
