// Package cpp is document 004's CPP: it makes activities on progress promotions of posted receipts (§1; R78), and, at the
// end of a shopper's second cycle, the word that they have not qualified (§4; R104).
//
// # Flow
//
// CPP follows the replica's history, whose lines say which records were posted, and takes their bodies from the journal's
// entries. It wakes with the fold. For each receipt of a shopper and each promotion for which it counts, one record
// (kv.ProgressKey) is changed by compare-and-set; it holds what each receipt counted, by rid, and what the change has to
// say ([flow.Standings]). What is said is a CPPActivity on Net.CPPActivity, with one rewardProgress for each reward scheme:
//
//   - IN_PROGRESS when progress has moved, also back, by a return or a void;
//   - REWARD_AWARDED for each reward that is reached, with its code in that scheme's rewardId; it has the new progress too,
//     so IN_PROGRESS is not said beside it. A promotion of several rewards, or a repeatable one, has several in one attempt,
//     each with another id and another rewardId;
//   - REWARD_SPENT when a receipt of that shopper has redeemed the code as a coupon, in the reward's attempt or the two
//     after it;
//   - UNQUALIFIED at the end of a shopper's second cycle.
//
// An activity is never COMPLETED: here a reward is given with the receipt that completes what it asks for. Producers outside,
// for whom that is two moments, may say it (the intake takes it). In a REWARD_AWARDED or REWARD_SPENT the other rewards of that
// status are shown as COMPLETED, so that an activity is about one reward.
//
// # What counts
//
// The attempt is the ISO week, in the brand's zone, of the journal entry that posted the receipt: the centre's time. A till
// that was offline for days counts when it comes back, and nothing is ever late for a cycle that is over. A return takes off
// what its sale gave, to the line, from the attempt in which the sale counted, whoever brings it back; a void takes all of
// it. Rewards that were given stay given, and what is earned again after a return is not given again. Progress of repeatable
// promotions begins anew after the reward with the largest target.
//
// The first cycle is the one of the opt-in, or of the first receipt that counted. A promotion that is declared later counts
// from the receipts on that are read then.
//
// # Bounds
//
// An attempt counts up to progress.MaxReceipts receipts and gives each reward up to progress.MaxTimes times. It is
// remembered for two cycles after its own: a return that comes later takes nothing back.
//
// # Durability
//
// Nothing is on this node. The cursor (kv.CursorKey) is moved after all that came before it was said, once a second and at
// the end: what is read again finds itself in the records, and says what it said before, with the same ids and the same
// bytes, if that is the newest thing that its record has said. Without a cursor, or with one of another generation (the
// journal was restored from a backup), CPP begins at the entries of the cycles that are remembered.
//
// # Failure
//
// Every node runs CPP, and the one that writes the journal works. Two that work at once, as when the writer changes, do no
// harm: see above. What cannot be read or published is tried again, from the batch's beginning. A body that cannot be
// read counts nothing and is logged.
package cpp
