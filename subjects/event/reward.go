package event

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Reward is how far an event says that a shopper has come with one reward, in its headers: of each RewardProgress the
// part by which TIM tells news from repeats, so that it need not open the data.
type Reward struct {
	SchemeID string
	Status   Status
	Times    int64 // 0 or more
}

// RewardsOf gives what the headers say of the progress in the data.
func RewardsOf(all []RewardProgress) []Reward {
	rewards := make([]Reward, len(all))
	for i := range all {
		rewards[i] = Reward{all[i].RewardSchemeID, all[i].Status, all[i].Times}
	}
	return rewards
}

// writeRewards writes "scheme:STATUS:times", separated by commas; what of a scheme's id is neither letter nor digit is
// percent-encoded, for itself.
func writeRewards(all []Reward) string {
	var b strings.Builder
	for i := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		r := &all[i]
		b.WriteString(url.QueryEscape(r.SchemeID))
		b.WriteByte(':')
		b.WriteString(string(r.Status))
		b.WriteByte(':')
		b.WriteString(strconv.FormatInt(r.Times, 10))
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
		fields := strings.Split(part, ":")
		if len(fields) != 3 {
			return nil, fmt.Errorf("%q is not scheme:STATUS:times", clip(part))
		}
		id, err := url.QueryUnescape(fields[0])
		times, err2 := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || err2 != nil || id == "" || times < 0 {
			return nil, fmt.Errorf("%q is not scheme:STATUS:times", clip(part))
		}
		all[i] = Reward{id, Status(fields[1]), times}
		if !all[i].Status.Known() {
			return nil, fmt.Errorf("%w %q: want one of %v", ErrStatus, clip(fields[1]), Statuses())
		}
	}
	return all, nil
}
