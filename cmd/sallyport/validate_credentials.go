package main

import (
	"fmt"
	"slices"
)

// checkCredentials judges where static credentials are accepted.
func checkCredentials(j *judge) {
	for i := range j.c.APIs {
		a, at := &j.c.APIs[i], fmt.Sprintf("apis[%d]", i)
		low := a.Tier == "low" || slices.ContainsFunc(a.Operations, func(o operationConfig) bool { return o.Tier == "low" })
		if a.APIKeys && !low {
			j.failf(at+".api_keys", "API keys count for operations of tier low only, and there is none: set tier, or make a client instead")
		}
		if a.APIKeys && !a.guarded() {
			j.failf(at+".api_keys", "belongs to APIs behind the gateway")
		}
		for k := range a.Operations {
			if tier := a.Operations[k].Tier; a.Operations[k].FormToken && (tier == "high" || tier == "" && a.Tier == "high") {
				j.failf(fmt.Sprintf("%s.operations[%d].form_token", at, k), "tokens for tier high are bound to a key and come in the header")
			}
		}
	}
}
