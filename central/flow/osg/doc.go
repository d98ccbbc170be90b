// Package osg is OSG: it knows which shoppers are on site, and brings an onsite message to one screen of theirs
// (document 004 §1, "BCG, OSG & MSQ"; R98, R99, R105).
//
// # Flow
//
// A till tells its store who is there, a store says it on Net.POSPresence, and OSG puts it into the bucket for as long
// as the brand's presence_seconds, with each word anew. Each instance has a copy of that, as large as the shoppers on
// site are many. With each word it tells MSQ on Net.OSGArrived, with the time at which the shopper came.
//
// A message comes on Net.OSGDeliver, from BCG or MSQ. The answer's header status is 200 if a screen has it, and 404 if
// the shopper is not on site. Anything else is neither: the asker asks again, with the same message. A shopper may be
// at several places (a till, a phone, a browser); the one where they came last is asked first, and one shows it.
//
// Devices of the app connect to [OSG.Sessions]. They are places like tills: of store 0000, with the device as till. A
// device is asked through the instance that has it.
//
// # Once
//
// A message's claim names the screen that is asked. It is changed by compare-and-set only: a screen is named before it
// is asked, another only when that one has said no, and at the end the claim says that it was shown. So whoever
// delivers the message, BCG and MSQ at once and on any node, asks the same screen; and a screen that is asked twice
// shows once, because it remembers what it has shown. A question that comes so late that another screen was named
// meanwhile bears the try of before, and a screen does not show at a try to which it has said no.
//
// What a crash, or a line that is cut, leaves behind:
//
//	where                                       what is there            what the same message finds next
//	before the claim is put                     nothing                  as if it had never come
//	claim put, screen not asked                 asked: A                 A is asked
//	A asked, its answer lost                    asked: A; shown or not   A is asked again: it says what it did
//	A silent (its store is cut)                 asked: A; shown or not   an error, until A can be asked: no other screen
//	                                                                     may show it. If they are nowhere: 404
//	A said yes, claim not settled               asked: A; shown          A says yes again
//	claim settled, answer to the asker lost     shown                    200
//	A said no, next not named                   asked: A                 A says no again
//	A said no, B named, not asked               asked: B                 B is asked
//	nobody took it, claim not settled           asked: last              it says no again, and 404
//	A shows it and its node dies, answer lost   asked: A; shown          A's new life knows nothing and says no: B may
//	                                                                     show it a second time
//	instance with the device dies likewise      asked: device; shown     the same; a device drops an id that it had
//
// The last two are the only ways to two screens: a till does not write what it shows to its disk.
//
// # Durability
//
// Presence, claims and tombstones are in the bucket kv.Onsite; it says what they are worth. Presence fades by itself.
// A claim stays a minute longer than its message lives.
//
// # Failure
//
// Without its bucket OSG answers nothing. A message that no screen can show (no text, too long, an id that is not
// hexadecimal) is refused, and the asker must not repeat it. A tombstone is heeded: such a message is 404.
//
// 404 is said from the copy, which may be milliseconds behind, and the message is in MSQ's bucket only after that. OSG
// remembers for ten seconds of whom it was said: if they come, MSQ is told of them again after half a second, and at the end.
package osg
