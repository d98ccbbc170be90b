package event

import (
	"errors"
	"slices"
)

// Status is how far an attempt has come (document 004 names REWARD_AWARDED and unqualification; the rest is ours).
type Status string

// Statuses of an attempt.
const (
	InProgress    Status = "IN_PROGRESS"
	Completed     Status = "COMPLETED"
	RewardAwarded Status = "REWARD_AWARDED"
	RewardSpent   Status = "REWARD_SPENT"
	Expired       Status = "EXPIRED"
	Unqualified   Status = "UNQUALIFIED"
)

// ErrStatus means that a status is none of Statuses.
var ErrStatus = errors.New("unknown status")

// Statuses gives every status.
func Statuses() []Status {
	return []Status{InProgress, Completed, RewardAwarded, RewardSpent, Expired, Unqualified}
}

// Known reports whether s is one of Statuses.
func (s Status) Known() bool { return slices.Contains(Statuses(), s) }

// MessageType says what a message is about. Rules and templates go by it.
type MessageType string

// Types of message.
const (
	MessageProgress        MessageType = "PROGRESS"
	MessageRewardAwarded   MessageType = "REWARD_AWARDED"
	MessageUnqualification MessageType = "UNQUALIFICATION"
)

// MessageTypes gives every type of message.
func MessageTypes() []MessageType {
	return []MessageType{MessageProgress, MessageRewardAwarded, MessageUnqualification}
}

// Message gives the type of message that an event of a status leads to; false: to none.
func (s Status) Message() (MessageType, bool) {
	switch s {
	case InProgress, Completed:
		return MessageProgress, true
	case RewardAwarded:
		return MessageRewardAwarded, true
	case Unqualified:
		return MessageUnqualification, true
	}
	return "", false
}

// Delivery is how a message is shown (document 004, "delivery preferences").
type Delivery string

// Ways to show a message. NoDelivery is none: BCG drops such messages.
const (
	NoDelivery Delivery = ""
	Toast      Delivery = "toast"
	FullScreen Delivery = "full_screen"
)
