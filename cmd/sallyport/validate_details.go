package main

import (
	"fmt"

	"sallyport/internal/oauth"
)

// checkDetailsTypes judges the types of authorization_details.
func checkDetailsTypes(j *judge) {
	names := map[string]bool{}
	for i := range j.c.APIs {
		names[j.c.APIs[i].Name] = true
	}
	seen := map[string]int{}
	for i := range j.c.DetailsTypes {
		at, t := fmt.Sprintf("authorization_details_types[%d]", i), &j.c.DetailsTypes[i]
		if setting, why := t.Problem(); why != "" {
			j.failf(at+"."+setting, "%s", why)
		}
		if first, twice := seen[t.Type]; twice {
			j.failf(at+".type", "%s is there twice, first as authorization_details_types[%d]", t.Type, first)
		}
		seen[t.Type] = i
		for n, name := range t.APIs {
			if !names[name] && !j.c.unclear("apis") {
				j.failf(fmt.Sprintf("%s.apis[%d]", at, n), "no API is called %q", name)
			}
		}
	}
}

// fits asks whether this deployment can keep what the client is registered with.
func (c *config) fits(client oauth.Client) (setting, why string) {
	if c.unclear("apis") || c.unclear("authorization_details_types") {
		return "", ""
	}
	list := make([]oauth.Resource, len(c.APIs))
	for i := range c.APIs {
		a := &c.APIs[i]
		list[i] = oauth.Resource{Name: a.Name, Audience: a.Audience, Tier: a.tier(), Scopes: a.scopes()}
	}
	return client.Fits(list, c.DetailsTypes)
}
