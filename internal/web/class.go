package web

import (
	"net/http"

	"sallyport/internal/oauth"
	"sallyport/internal/signals"
)

// class says how the edge treats a route. The zero class is no class; a test
// refuses a route that has it.
type class uint8

const (
	unclassified         class = iota
	classDocument              // public, the same for everybody, cacheable
	classStatic                // files of pages, named by their content
	classProtocol              // called by clients: form in, JSON out, no cookies
	classBrowserProtocol       // the same, also by registered browser apps
	classChallenge             // called by clients without anything: JSON out
	classResource              // called with an access token
	classReport                // called by partners: JSON in and out, no cookies
	classRegistration          // called by clients about themselves: JSON in and out, no cookies
	classReceiver              // the same, by receivers of signals, with an access token
	classEntry                 // where other sites send a browser to; changes nothing by itself
	classPage                  // our pages and their forms
)

// source is where a route's parameters come from.
type source uint8

const (
	fromNothing source = iota
	fromBody           // the form body alone (G10)
	fromQuery          // of GET; a form's body with POST
	fromBoth           // query and body; a name in both is a repeated name (AZ07)
	fromJSON           // none: the handler reads the body, once it knows who sends it
)

// originRule says which origins of browsers may read answers.
type originRule uint8

const (
	noOrigin   originRule = iota
	anyOrigin             // without credentials: the answer is public
	registered            // exact, from the configuration
)

// rules is what a class brings.
type rules struct {
	name        string
	params      source
	single      bool  // a repeated parameter is refused by the decoder
	maxBody     int64 // bytes
	origins     originRule
	form        bool   // a POST needs our form token, and to come from our own page
	cookies     bool   // cookies are read
	page        bool   // errors are pages
	bearer      bool   // errors carry challenges for access tokens (RFC 6750 §3, RFC 9449 §7.1)
	scope       string // that their challenges name
	plainBearer bool   // and these tokens are bound to no key
	mutual      bool   // also served where client certificates are asked for
	head        bool
	noTokens    bool // a credential in the URL is refused and noted
	headers     func(s *site, h http.Header)
}

const formLimit = 64 << 10

var classes = [...]rules{
	unclassified:         {name: "unclassified"},
	classDocument:        {name: "document", origins: anyOrigin, head: true, headers: (*site).documentHeaders},
	classStatic:          {name: "static", head: true, headers: (*site).staticHeaders},
	classProtocol:        {name: "protocol", mutual: true, params: fromBody, single: true, maxBody: formLimit, noTokens: true, headers: (*site).protocolHeaders},
	classBrowserProtocol: {name: "browser_protocol", mutual: true, params: fromBody, single: true, maxBody: formLimit, noTokens: true, origins: registered, headers: (*site).protocolHeaders},
	classChallenge:       {name: "challenge", mutual: true, noTokens: true, headers: (*site).protocolHeaders},
	classResource:        {name: "resource", mutual: true, params: fromBody, single: true, maxBody: formLimit, noTokens: true, origins: registered, bearer: true, scope: "openid", headers: (*site).protocolHeaders},
	classReport:          {name: "report", params: fromJSON, maxBody: oauth.MaxLeakReport, noTokens: true, headers: (*site).protocolHeaders},
	classRegistration:    {name: "registration", params: fromJSON, maxBody: oauth.MaxRegistration, noTokens: true, bearer: true, plainBearer: true, headers: (*site).protocolHeaders},
	classReceiver:        {name: "receiver", mutual: true, params: fromJSON, maxBody: signals.MaxRequest, noTokens: true, bearer: true, scope: oauth.SignalsManageScope, headers: (*site).protocolHeaders},
	classEntry:           {name: "entry", params: fromBoth, maxBody: formLimit, cookies: true, page: true, headers: (*site).pageHeaders},
	classPage:            {name: "page", params: fromQuery, single: true, maxBody: formLimit, form: true, cookies: true, page: true, headers: (*site).pageHeaders},
}

func (c class) rules() *rules { return &classes[c] }
