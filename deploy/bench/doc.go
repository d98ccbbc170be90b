// Package bench measures how fast and how large tillstream is, against baselines that run beside it on
// the same machine in the same minute.
//
// # How to read a figure
//
// Absolute figures are the machine's, and of its mood: only a ratio means much. Ours and its baseline are
// measured in turn, round by round; a ratio is the median of the rounds' own ratios. A baseline is the
// strongest simple thing that does the same to the same bytes: one fsynced bbolt transaction, bare
// asynchronous publishes to a cluster like the centre's, compare-and-set per account, PostgreSQL, a bare HTTP
// server that is sent as many bytes and answers as many, Redis.
//
// # What is not measured
//
// Client, tills, stores, centre and baselines share one machine, so no network is, and no second disk:
// where a till or store has one of its own, its files lie in memory instead, and the name of the row
// says so. A directory in memory is refused as the disk, since fsync costs nothing there.
package bench
