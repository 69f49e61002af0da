package gateway

import (
	"fmt"
	"hash/maphash"
	"math"
	"testing"
	"time"
)

func TestSheddingFollowsTheQueueForProcessors(t *testing.T) {
	t.Parallel()
	s := &shedding{seed: maphash.MakeSeed()}
	now := time.Unix(1_800_000_000, 0)
	at := func(delay time.Duration, events uint64) float64 {
		now = now.Add(sampleEvery)
		s.sample(now.UnixNano(), 100*time.Millisecond, func([]uint64) (time.Duration, []uint64, uint64) { return delay, nil, events })
		return math.Float64frombits(s.level.Load())
	}
	for i := range 2 {
		if l := at(time.Second, 1000); l != 0 {
			t.Errorf("sample %d above the target sheds %v: a pause is not overload", i, l)
		}
	}
	for range 20 {
		at(time.Second, 1000)
	}
	if l := at(time.Second, 1000); l != shedMost {
		t.Errorf("under lasting overload %v is shed, want %v: never all", l, shedMost)
	}
	if l := at(70*time.Millisecond, 1000); l != shedMost {
		t.Errorf("near the target it changes to %v", l)
	}
	for range 30 {
		at(time.Millisecond, 1000)
	}
	if l := at(time.Millisecond, 1000); l != 0 {
		t.Errorf("afterwards %v is shed", l)
	}
	for range 10 {
		at(time.Second, 3)
	}
	if l := at(time.Second, 3); l != 0 {
		t.Errorf("a few events shed %v", l)
	}
}

func TestConnectionsAreShedForAWhileAndInProportion(t *testing.T) {
	t.Parallel()
	s := &shedding{seed: maphash.MakeSeed()}
	now := time.Unix(1_800_000_000, 0)
	picked, stayed := 0, 0
	for i := range 2000 {
		conn := fmt.Sprintf("192.0.2.1:%d", i)
		if s.picks(conn, now, .3) {
			picked++
			if s.picks(conn, now.Add(shedEpoch-time.Second), .3) {
				stayed++
			}
		}
	}
	if picked < 500 || picked > 700 || stayed != picked {
		t.Errorf("%d of 2000 connections are shed at 30 %%, %d of them for the whole epoch", picked, stayed)
	}
}

func TestQueueDelayIsRead(t *testing.T) {
	t.Parallel()
	_, before, _ := queueDelay(nil)
	done := make(chan struct{})
	for range 200 {
		go func() { done <- struct{}{} }()
	}
	for range 200 {
		<-done
	}
	if delay, _, events := queueDelay(before); events == 0 || delay < 0 || delay > time.Minute {
		t.Errorf("%d events, %s", events, delay)
	}
}
