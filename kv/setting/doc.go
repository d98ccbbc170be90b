// Package setting reads the settings that fall to every store, and says what is wrong with them: at the
// centre when one is put, at a node before it goes by it. A setting is a document with an id, which names it
// here, and a revision; fields that are not known are refused, so that a misspelt one is told.
//
//   - [ProgrammeID]: what points are earned for and worth, and the most that discounts may take.
//   - [StoresID]: each store's clock, country, and the sets that promotions name.
//   - [ScanID]: what the chain's codes look like.
//   - [ReturnsID]: what may be given back without the sale at hand.
//
// It is pure. The zones of the world's clocks are compiled in, so that every node knows the same ones.
package setting
