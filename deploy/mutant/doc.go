// Package mutant has no code, only a test of the tests: a table of changes to the code, each of which takes one
// guard away, and the test that must fail then.
//
// A change is made with go's -overlay, so the files are as they were. TestMutantsFit, which always runs, wants
// the text of every guard to be where the table says, once, and every test to be there: a guard that moves takes
// its line of the table along. TestMutants, behind -mutants (make mutants), applies one change after the other,
// runs its test and wants that to fail; without the change the same tests pass, as make test shows.
package mutant
