package event

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Reward names a reward that an event is about, in its headers: by it TIM tells news from repeats, without opening the
// data.
type Reward struct {
	SchemeID string
	Times    int64 // which time it is earned; 0: it can be earned once
}

// RewardsOf gives the rewards that an activity of a status is about: those that bear a rewardId and are in that status,
// or if there is none, all that are in it. The others are there to show how far they are, and were said before.
func RewardsOf(status Status, all []RewardProgress) (about []Reward) {
	for _, bear := range []bool{true, false} {
		for i := range all {
			if p := &all[i]; p.Status == status && (p.RewardID != "" || !bear) {
				about = append(about, Reward{p.RewardSchemeID, p.Times})
			}
		}
		if len(about) > 0 {
			break
		}
	}
	return about
}

// writeRewards writes "scheme:times", separated by commas; what of a scheme's id is neither letter nor digit is
// percent-encoded, for itself.
func writeRewards(all []Reward) string {
	var b strings.Builder
	for i := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(url.QueryEscape(all[i].SchemeID))
		b.WriteByte(':')
		b.WriteString(strconv.FormatInt(all[i].Times, 10))
	}
	return b.String()
}

func readRewards(s string) ([]Reward, error) {
	parts := strings.Split(s, ",")
	if len(parts) > maxProgress {
		return nil, fmt.Errorf("want at most %d rewards, got %d", maxProgress, len(parts))
	}
	all := make([]Reward, len(parts))
	for i, part := range parts {
		scheme, n, _ := strings.Cut(part, ":")
		id, err := url.QueryUnescape(scheme)
		times, err2 := strconv.ParseInt(n, 10, 64)
		if err != nil || err2 != nil || id == "" || times < 0 {
			return nil, fmt.Errorf("%q is not scheme:times", clip(part))
		}
		all[i] = Reward{id, times}
	}
	return all, nil
}
