package web

import (
	"net/http"
	"strings"
)

// accountPath is where people see and end what is signed in.
const accountPath = "/account"

// accountPages are what the bar beside the pages of an account leads to, in this
// order; those that are no routes here are left out.
var accountPages = []struct{ path, key string }{
	{accountPath, "account.nav.overview"},
	{accountPath + "/profile", "account.nav.profile"},
	{accountPath + "/security", "account.nav.security"},
	{accountPath + "/addresses", "account.nav.addresses"},
	{accountPath + "/linked", "account.nav.linked"},
	{accountPath + "/sessions", "account.nav.sessions"},
	{accountPath + "/apps", "account.nav.apps"},
	{accountPath + "/events", "account.nav.events"},
	{accountPath + "/data", "account.nav.data"},
}

// navItem is one entry of that bar.
type navItem struct {
	Address string
	Key     string
	Here    bool
}

// accountNav is the bar for a page below accountPath, and nil elsewhere. Where the
// page is not in it, the nearest one above is marked.
func (s *site) accountNav(r *http.Request) []navItem {
	here := wishes(r).page
	if here != accountPath && !strings.HasPrefix(here, accountPath+"/") {
		return nil
	}
	var list []navItem
	nearest := -1
	for _, page := range accountPages {
		e := s.endpoints[s.prefix+page.path]
		if e == nil || e.methods[http.MethodGet] == nil {
			continue
		}
		if here == page.path || strings.HasPrefix(here, page.path+"/") {
			nearest = len(list) // a longer path comes later
		}
		list = append(list, navItem{Address: s.prefix + page.path, Key: page.key})
	}
	if nearest >= 0 {
		list[nearest].Here = true
	}
	return list
}
