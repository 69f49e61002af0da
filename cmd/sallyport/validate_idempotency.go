package main

import (
	"fmt"
	"time"

	"sallyport/internal/idempotency"
)

// checkIdempotency sees that keys are remembered for a time that helps, and asked
// for where they can be.
func checkIdempotency(j *judge) {
	if keep := j.c.Idempotency.Keep.std(); keep < time.Minute || keep > idempotency.MaxKeep {
		j.failf("idempotency.keep", "%s is not between 1m and 24h", keep)
	}
	for i := range j.c.APIs {
		for k := range j.c.APIs[i].Operations {
			o := &j.c.APIs[i].Operations[k]
			if o.Stream && (o.Idempotency == "optional" || o.Idempotency == "required") {
				j.failf(fmt.Sprintf("apis[%d].operations[%d].idempotency", i, k), "needs the whole body, and stream_body passes it on unread: remove one")
			}
		}
	}
}
