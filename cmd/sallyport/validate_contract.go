package main

import "fmt"

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
