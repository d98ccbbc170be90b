package soak

// fault is what goes wrong in a step.
type fault string

// The faults. Their order is part of what a seed means.
const (
	pullWAN      fault = "pull the WAN cable of"
	resetWAN     fault = "reset the WAN of"
	silenceWAN   fault = "silence the WAN of"
	deafenWAN    fault = "hold what is answered over the WAN of"
	slowWAN      fault = "slow the WAN of"
	narrowWAN    fault = "narrow the WAN of"
	stallWAN     fault = "stall now and then, as one that loses packets, the WAN of"
	pullLAN      fault = "pull the LAN cable of"
	silenceLAN   fault = "silence the LAN of"
	pullCentre   fault = "pull the cable of"
	kill         fault = "kill -9"
	killWriter   fault = "kill -9 the node that writes,"
	killLeader   fault = "kill -9 the node that leads the stream,"
	killBoth     fault = "kill -9 the node that writes and the one that leads,"
	killCentre   fault = "kill -9 all of the centre,"
	freeze       fault = "freeze"
	restart      fault = "restart in order"
	takeImage    fault = "take an image of"
	restoreImage fault = "put back an image of"
	wipeEdge     fault = "take the disk of"
	dropCache    fault = "delete the cache of"
	wipeReplica  fault = "wipe the replica of"
	wipeStream   fault = "wipe the jetstream directory of"
)

// weight is how often a fault is drawn.
type weight struct {
	fault  fault
	weight int
}

// everywhere is what goes wrong in the whole chain.
func everywhere() []weight {
	return []weight{
		{pullWAN, 8}, {resetWAN, 5}, {silenceWAN, 6}, {deafenWAN, 4}, {slowWAN, 5}, {narrowWAN, 4}, {stallWAN, 4}, {pullLAN, 6},
		{silenceLAN, 4}, {pullCentre, 4}, {kill, 24}, {killWriter, 3}, {killLeader, 3}, {killBoth, 2}, {killCentre, 2}, {freeze, 10},
		{restart, 6}, {takeImage, 8}, {restoreImage, 20}, {wipeEdge, 2}, {dropCache, 4}, {wipeReplica, 4}, {wipeStream, 1},
	}
}

// takeOvers is what goes wrong where only the centre has to suffer.
func takeOvers() []weight {
	return []weight{
		{killWriter, 6}, {killLeader, 6}, {killBoth, 5}, {killCentre, 4}, {kill, 4}, {freeze, 4}, {pullCentre, 3}, {restart, 3},
	}
}
