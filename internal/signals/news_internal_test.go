package signals

import "testing"

// One receiver that asks a hundred times at once leaves others their places.
func TestNewsOneClientTakesFewPlaces(t *testing.T) {
	n := newNews()
	for i := range maxWaitersOf {
		if !n.enter("greedy") {
			t.Fatalf("place %d of one client is refused", i+1)
		}
	}
	if n.enter("greedy") {
		t.Error("one client takes more places than it may")
	}
	if !n.enter("other") {
		t.Error("another client finds no place")
	}
	n.leave("greedy")
	if !n.enter("greedy") {
		t.Error("a place that was given back is not there")
	}
	for range maxWaitersOf {
		n.leave("greedy")
	}
	n.leave("other")
	if n.places != maxWaiters || len(n.of) != 0 {
		t.Errorf("%d places and %v are left behind", n.places, n.of)
	}
}
