package mutant

// mutant is a guard that is taken away, and the test that notices.
type mutant struct {
	name string
	file string // below the repository's root
	old  string // is there once
	new  string
	in   string // package of the test
	test string // a test or a subtest, "Test/sub"
	root bool   // the test is skipped without root, loop devices and mount
}

// mutants are the laws' guards, then the repairs of README's table of bugs that lie in one place.
func mutants() []mutant {
	const rep, bks, jrn = "central/replica", "central/books", "edge/journal"
	return []mutant{
		{name: "the compare-and-set", file: rep + "/writer.go", in: rep, test: "TestCandidatesOfTheSameMomentAreNotBothTheWriter",
			old: "jetstream.WithExpectLastSequencePerSubject(after), ", new: "jetstream.WithMsgID(fmt.Sprint(after, time.Now())), "},
		{name: "the rid check of the books", file: bks + "/apply.go", in: bks, test: "TestARepeatMovesTheMarkAndPostsNothing",
			old: "if b.rids.add(&h.RID, s.e.At) {", new: "if b.rids.add(&h.RID, s.e.At) && h.Seq == 0 {"},
		{name: "the rid check of the till", file: jrn + "/commit.go", in: jrn, test: "TestRepeats",
			old: "held, err := b.held(tx, e.rec.RID)", new: "held, err := b.held(tx, record.RID{})"},
		{name: "fsync at till and store", file: jrn + "/bolt.go", in: "deploy/trial", test: "TestPowerCut", root: true,
			old: "opts := &bbolt.Options{", new: "opts := &bbolt.Options{NoSync: true,"},
		{name: "fsync at the centre", file: "central/hub/options.go", in: "deploy/trial", test: "TestPowerCut", root: true,
			old: "o.SyncAlways = true", new: "o.SyncAlways = false"},
		{name: "the overlay", file: "edge/cache/overlay.go", in: "edge/api", test: "TestCommitKnowsTheBalance",
			old: "a.sum += r.points", new: "a.sum += 0"},
		{name: "the end of the overlay", file: "edge/cache/overlay.go", in: "edge/cache", test: "TestOverlayEndsWithItsItem",
			old: "if r.seq > c.chains[r.chain].counted {", new: "if r.seq > 0 {"},
		{name: "the journal's hash chain", file: "central/fold/follow.go", in: rep, test: "TestAForeignMessageStopsTheFold",
			old: "if e.Number != t.Number+1 || e.Prev != t.Hash {", new: "if e.Number != t.Number+1 {"},
		{name: "the till's hash chain, in the books", file: bks + "/apply.go", in: bks, test: "TestAForkIsRefusedHoweverItLies",
			old: "case run[0].Prev != c.hash:", new: "case run[0].Prev != c.hash && c.fork:"},
		{name: "the till's hash chain, in the store", file: jrn + "/accept.go", in: jrn, test: "TestAccept",
			old: "if p.recs[0].Prev != s.tip.Hash {", new: "if p.recs[0].Prev != s.tip.Hash && p.bad != nil {"},
		{name: "the till's hash chain, within a run", file: "kv/record/run.go", in: "kv/record", test: "TestMalformedRun",
			old: "k > 0 && rec.Prev != recs[k-1].Hash()", new: "k > 0 && rec.Prev != recs[k-1].Hash() && k < 0"},
		{name: "the clock rule", file: rep + "/writer.go", in: "deploy/trial", test: "TestCentreNodeWithAWrongClock",
			old: "case known && off <= clockMayDrift:", new: "case known:"},
		{name: "a node that hears nobody does not know the time", file: rep + "/writer.go", in: "deploy/trial", test: "TestNodeOfThreeThatIsAloneDoesNotWrite",
			old: "case known && off <= clockMayDrift:", new: "case off <= clockMayDrift:"},

		{name: "the clock is looked at before each entry", file: rep + "/fold.go", in: "deploy/trial", test: "TestClockOfTheWriterLeaps",
			old: "if !r.writing || r.clockIsOff() ||", new: "if !r.writing ||"},
		{name: "of two clocks the lower", file: rep + "/beat.go", in: "deploy/trial", test: "TestCentreOfTwoWithAWrongClock",
			old: "t += min(ahead[0], 0)", new: "t += 0"},
		{name: "time never goes back", file: rep + "/writer.go", in: "deploy/trial", test: "TestClockOfALoneCentreGoesBack",
			old: "At: max(r.peers.tick(r.now(), time.Now()), r.tip.at)", new: "At: r.peers.tick(r.now(), time.Now())"},
		{name: "rids are forgotten by the posting's time", file: bks + "/rids.go", in: "deploy/trial", test: "TestRIDOfAWrongClock",
			old: "day := at / dayMS\n\tif n :=", new: "day := (int64(rid[0])<<40 | int64(rid[1])<<32 | int64(rid[2])<<24) / dayMS\n\tif n :="},
		{name: "a writer's mark in its entries", file: rep + "/writer.go", in: rep, test: "TestCandidatesOfTheSameMomentAreNotBothTheWriter",
			old: "Writer: r.self, At:", new: "Writer: 1, At:"},
		{name: "a deaf node does not take over", file: rep + "/writer.go", in: rep, test: "TestADeafNodeDoesNotTakeOver",
			old: "|| r.peers.alone(now) ||", new: "||"},
		{name: "what does not fit an entry is the next one's first", file: rep + "/queue.go", in: rep, test: "TestLargeProposalsAreNotPutTogether",
			old: "if b == nil || b.size+p.Size() > fold.MaxEntry {", new: "if b == nil {"},
		{name: "what fits no message is refused", file: rep + "/propose.go", in: rep, test: "TestProposalsThatFitNoMessageAreRefused",
			old: "if p.Size() > maxProposal {", new: "if p.Size() < 0 {"},
		{name: "who waits for a dead leader is woken", file: rep + "/leader.go", in: rep, test: "TestAWaitForADeadLeaderEndsWithTheNext",
			old: "r.leader.asked()\n", new: "_ = r.leader.asked\n"},
		{name: "a candidate reads what it lacks", file: rep + "/writer.go", in: rep, test: "TestACandidateReadsWhatItLacks",
			old: "if err := r.catchUp(ctx, last); err != nil {", new: "if err := ErrBehind; err != nil {"},
		{name: "a writer that hangs does not say that it writes", file: rep + "/beat.go", in: rep, test: "TestAWriterThatHangsIsReplaced",
			old: "b.writing = b.writing && !r.hangs()", new: "b.writing = b.writing && r.hungAfter > 0"},
		{name: "a lost acknowledgement is looked for", file: rep + "/writer.go", in: rep, test: "TestALostAcknowledgementIsFound",
			old: "case stored:\n\t\t\te.Stream = last.stream\n\t\t\treturn nil\n", new: "case stored:\n\t\t\treturn errLost\n"},
		{name: "a record of another branch below the mark", file: bks + "/apply.go", in: bks, test: "TestAForkIsRefusedHoweverItLies",
			old: "if !b.rids.find(&r.RID) {\n\t\t\t\treturn true", new: "if !b.rids.find(&r.RID) {\n\t\t\t\treturn false"},
		{name: "a forked chain in the digest", file: bks + "/digest.go", in: bks, test: "TestVerifyFindsWhatIsWrong",
			old: "if c.fork {\n\t\td = d.with(1)", new: "if c.fork && c.seq == 0 {\n\t\td = d.with(1)"},
		{name: "an old disk that found less than is held", file: bks + "/apply.go", in: bks, test: "TestAnImageOfARunningTillIsAnIncident",
			old: "held > start.Found.Seq {", new: "held > start.Found.Seq && held == 0 {"},
		{name: "an old disk whose newest chain was whole", file: bks + "/apply.go", in: "deploy/fleet", test: "TestOldImageOfATill",
			old: "if c := b.chains.at(i); c.found == found {", new: "if c := b.chains.at(i); c.found == found && c.fork {"},
		{name: "a store's chains are its own, in the books", file: bks + "/apply.go", in: bks, test: "TestAStartThatIsNotTheSendersIsRefused",
			old: "if err != nil || start.Store != home.id {", new: "if err != nil {"},
		{name: "a till's chains are its own, in the store", file: "edge/uplink/intake.go", in: "edge/uplink", test: "TestIntakeTakesOwnChainsOnly",
			old: "if known && start.Till != till {", new: "if !known && start.Till != till {"},
		{name: "a mark's hash", file: jrn + "/chain.go", in: jrn, test: "TestConfirmOfAnotherBranchIsAFork",
			old: "if other[m.Chain] {", new: "if other[m.Chain] && c.refused != 0 {"},
		{name: "a forked chain is followed by another", file: jrn + "/commit.go", in: "edge/uplink", test: "TestForkedChain",
			old: " && !b.j.forked(b.own) {", new: " {"},
		{name: "a pack's size in the raw", file: "kv/record/run.go", in: "kv/record", test: "TestBombs",
			old: "raw > MaxPack+maxRaw {", new: "raw < 0 {"},
		{name: "a receipt has a rid", file: "kv/record/receipt.go", in: "kv/record", test: "TestMalformedHeader",
			old: "(k == KindStart) != (h.RID == RID{}),", new: "k == KindStart && h.RID != RID{},"},
		{name: "a key ring is made once", file: "kv/seal/seal.go", in: "kv/seal", test: "TestOpenRingAtOnce",
			old: "if err := os.Link(f.Name(), path); err != nil", new: "if err := os.Rename(f.Name(), path); err != nil"},
		{name: "a till's inbox is nobody else's", file: "subjects/edge.go", in: "subjects", test: "TestTillsCannotReachEachOther",
			old: `return join("_INBOX_TILL", l.Store.s, l.Till.s)`, new: `return "_INBOX_" + l.Store.s + "_" + l.Till.s`},
		{name: "an upstream that takes nothing is left alone", file: "edge/uplink/uplink.go", in: "edge/uplink", test: "TestErrorAnswers",
			old: "if u.taken != taken || time.Since(began) > pauseMost {", new: "if u.taken != taken || time.Since(began) >= 0 {"},
		{name: "a store asks for what it has never heard of", file: "edge/lookup.go", in: "edge", test: "TestStoreKnowsOnlyWhatWasJustSold",
			old: "case s.AsOf == 0: //", new: "case s.AsOf < 0: //"},
		{name: "keep_days has an end", file: "edge/config.go", in: "edge", test: "TestBadConfig",
			old: "c.KeepDays >= 0 && c.KeepDays <= maxKeepDays", new: "c.KeepDays >= 0"},
		{name: "a card prefix has digits", file: "edge/config.go", in: "edge", test: "TestBadConfig",
			old: `need(p != "" && strings.Trim`, new: `need(strings.Trim`},
		{name: "a link that stays down is enabled anew", file: "edge/leaf/run.go", in: "edge/leaf", test: "TestRunEnablesADeadLinkAnewAndKeepsTheTills",
			old: "disabled = l.enable(false) || disabled", new: "_ = disabled"},
	}
}
