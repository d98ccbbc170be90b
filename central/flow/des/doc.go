// Package des decides which events are worth a message, and how it is shown.
//
// # Flow
//
// FRED asks it with a CloudEvent as it came. "Takes each RewardProgress in the CloudEvent data, and if the
// activityType is either FREE_SPINS, FREE_BET or GAMING_BONUS, a DECISION is returned for that CloudEvent, otherwise
// NO_DECISION" (document 004, "DES"; R92). The three are the default of the brand's table
// ([progress.Settings].DESActivityTypes). Each progress has its own verdict, and the event has a DECISION if one of
// them has. "DES includes the delivery preferences for message type" (R93): those of the brand for the type of message
// that the event's status leads to; a type without one, and a status without a message, have no preference, and
// BCG drops them.
//
// The answer is a CloudEvent again, with DES's stamp and the header has-decision, true or false (R94). The same event
// has the same answer, for as long as the brand's settings are the same.
//
// # Failure
//
// What is no event of the brand, or none that FRED should ask about, is refused: FRED puts it among its dead letters.
// DES keeps nothing: several of a brand share the questions, and one that dies leaves them to the others.
package des
