// Package dec is DEC of document 004: it takes in the activities of CPP and EPPM, converts them to its domain object,
// and adds what PPH knows of their promotion (§1; R79–R84).
//
// # Flow
//
// The CPP processor reads {dc}.{brand}.cpp.activity and writes {brand}.cpp.enriched.events, for TIM. The EPPM processor
// reads {dc}.{brand}.eppm.activity, the unqualification of week one, and writes {brand}.relevant.unqualification.events,
// which FRED reads: TIM is skipped (§3; R103). Of both, the activity gets promoName, promoUrl, tags and brand, and each
// rewardProgress gets products, rewardType, productRewardType, tierDefinition and expirationDate of the rewardScheme
// with its id.
//
// An unqualification of CPP is week two's, and gets that week, which messages name. One of week one or two also gets the
// brand's unqualification tag (its settings name it; the first, if there are several), by which TIM tells it from the rest
// (§4; R104). TIM goes by headers, so DEC writes the tags and the rewards that the event is about there too
// (event.RewardsOf). What data and headers both say must be the same: else the event is rejected.
//
// What PPH answers is kept for some seconds, for each promotion and attempt, in bounded memory, and asked for once
// however many events want it.
//
// # Failure
//
// PPH slow, down or busy: the event waits, and is asked for again for as long as it takes. A promoCode that PPH does not
// know, or a rewardProgress without its rewardScheme, is asked for again for two minutes or a little more from the moment
// at which the event came in, since the promotion may be on its way; then the event is a dead letter, to replay once the
// promotion is put. An event is never passed on without all its enrichments.
package dec
