// Package fred asks DES about the events that the brand's configuration lets through, and passes on those with a
// decision.
//
// # Flow
//
// "FRED receives the events from upstream and filters them based on the config. If according to the config the event
// needs to be processed further, it would call DES to get a decision. Once it gets the decision back, if the
// has-decision header is set to 'true', this event will be sent to BCG" (document 004, "FRED"; R90, R91). The
// configuration is [progress.Settings]: FREDStatuses pass, promotions of FREDExcludes do not. What is filtered out, and
// what DES has no decision on, ends here, and is counted.
//
// FRED goes by headers alone. It never opens an event's data: neither those that it receives nor those of DES's answer,
// which it passes on as they are.
//
// Events of one account are handled one after the other, as in the stages before and after: DES answers in any order, and
// a shopper's messages would be shown in that.
//
// # Failure
//
// Without an answer, and with one that does not say has-decision or is about another event, FRED asks again, later.
// What DES refuses no repetition mends: it goes to FRED's dead letters. FRED keeps nothing; an event that comes twice
// passes twice with one id.
package fred
