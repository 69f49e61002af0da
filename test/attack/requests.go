package attack

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// Placement is a request with a valid token in some place.
type Placement struct {
	ID, Name string
	Valid    bool // the pair: must pass
	Request  *http.Request
}

// Placements returns requests to address that carry token, which is valid, where
// it must not be looked for or beside something else.
func Placements(address, token string) []Placement {
	var list []Placement
	add := func(id, name string, valid bool, method, query, contentType, body string, headers ...string) {
		r, err := http.NewRequest(method, address+query, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
		}
		list = append(list, Placement{id, name, valid, r})
	}
	const auth, form = "Authorization", "application/x-www-form-urlencoded"
	bearer, q := "Bearer "+token, "access_token="+url.QueryEscape(token)
	add("J140", "not attacked", true, "GET", "", "", "", auth, bearer)
	add("J140", "nowhere", false, "GET", "", "", "")
	add("J140", "in the query", false, "GET", "?"+q, "", "")
	add("J140", "in a cookie", false, "GET", "", "", "", "Cookie", q)
	add("J140", "in the body of a form", false, "POST", "", form, q)
	add("J140", "in JSON", false, "POST", "", "application/json", `{"access_token":"`+token+`"}`)
	add("J140", "as a password", false, "GET", "", "", "", auth, "Basic "+base64.StdEncoding.EncodeToString([]byte("x:"+token)))
	add("J140", "in another header", false, "GET", "", "", "", "X-Access-Token", token, "Proxy-Authorization", bearer)
	add("J140", "under the scheme DPoP", false, "GET", "", "", "", auth, "DPoP "+token)
	add("J140", "without a scheme", false, "GET", "", "", "", auth, token)
	add("J140", "scheme alone", false, "GET", "", "", "", auth, "Bearer")
	add("J141", "not attacked", true, "GET", "", "", "", auth, bearer)
	add("J141", "two headers, the same", false, "GET", "", "", "", auth, bearer, auth, bearer)
	add("J141", "two headers, the other first", false, "GET", "", "", "", auth, "Bearer x", auth, bearer)
	add("J141", "two headers, the other last", false, "GET", "", "", "", auth, bearer, auth, "Basic eDp4")
	add("J141", "a list", false, "GET", "", "", "", auth, bearer+", "+bearer)
	add("J141", "a list of two schemes", false, "GET", "", "", "", auth, "Basic eDp4, "+bearer)
	add("J141", "parameters behind", false, "GET", "", "", "", auth, bearer+" x=y")
	add("J141", "scheme twice", false, "GET", "", "", "", auth, "Bearer "+bearer)
	return list
}
