package revocation

import "time"

// SetSteady replaces the steady clock. Call it before the first CatchUp.
func SetSteady(f *Follower, steady func() time.Duration) { f.steady = steady }
