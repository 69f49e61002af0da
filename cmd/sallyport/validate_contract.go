package main

import (
	"fmt"
	"strings"
)

// checkObjects sees that each rule about objects has one place; the gateway
// judges the rest of it (CF06).
func checkObjects(j *judge) {
	for i := range j.c.APIs {
		for k := range j.c.APIs[i].Operations {
			for n := range j.c.APIs[i].Operations[k].Objects {
				at, set := fmt.Sprintf("apis[%d].operations[%d].objects[%d]", i, k, n), 0
				for _, place := range j.c.APIs[i].Operations[k].Objects[n].places() {
					if place != "" {
						set++
					}
				}
				if set != 1 {
					j.failf(at, "names %d places: set one of path, query, header and body", set)
				}
			}
		}
	}
}

// checkContracts compiles what the documents say, as the gateway does, and looks
// for what it leaves open.
func checkContracts(j *judge) {
	for i := range j.c.APIs {
		a := &j.c.APIs[i]
		for k := range a.Operations {
			at, op := fmt.Sprintf("apis[%d].operations[%d]", i, k), a.Operations[k].gateway()
			if a.Operations[k].Retired && a.OpenAPI == "" {
				j.failf(at+".retired", "is for operations of an OpenAPI document: remove the operation")
			}
			if a.Operations[k].GraphQL.Enabled && op.Method != "POST" {
				j.failf(at+".graphql", "is for POST: a query in the address would be read by nobody")
			}
			contract, err := a.contract(k, &op)
			if err != nil {
				j.failf(at+".match", "%s", err)
				continue
			}
			if contract == nil || contract.Operation == nil {
				continue
			}
			if open := contract.Operation.Unbounded(); len(open) > 0 {
				j.warnf(at+".match", "%s has no maximum in %s: whoever asks for everything gets it", strings.Join(open, ", "), a.OpenAPI)
			}
		}
	}
}
