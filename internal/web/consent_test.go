package web_test

import (
	"net/url"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

// orderer asks for things in detail.
var orderer = oauth.Client{
	ID: "orderer", Name: "Tea shop", Type: oauth.Native, Scope: "openid profile email", RedirectURIs: []string{callback},
	Settings: oauth.Settings{
		DetailsTypes: []string{"order"}, Developer: "Example GmbH",
		ClientURI: "https://tea.example.com", PolicyURI: "https://tea.example.com/privacy", TermsURI: "javascript:alert(1)",
	},
}

// hostile has registered itself and says of itself what it should not.
var hostile = oauth.Client{
	ID: "hostile", Name: "\u202egnp\u202c <b>P\u0430yPal</b>" + strings.Repeat("\u0301", 40) + strings.Repeat("x", 500), Type: oauth.Native, Scope: "openid catalog.read",
	RedirectURIs: []string{"https://evil.example/cb"}, Origin: oauth.OriginRegistered,
	Settings: oauth.Settings{
		DetailsTypes: []string{"order"}, Developer: "Bank\u2028\"><img src=x onerror=alert(1)>", PolicyURI: "https://evil.example/p", ClientURI: "data:text/html,x",
	},
}

func TestAZ17ConsentNamesWhatCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{clients: []oauth.Client{orderer, hostile}})
	b := h.browser()
	page := b.signIn("client_id", "orderer", "scope", "openid profile", "authorization_details", `[{"type":"order","item":"Tea, green","count":3}]`)
	for what, mark := range map[string]string{
		"the app": "<bdi>Tea shop</bdi>", "the developer": "By <bdi>Example GmbH</bdi></p>", "client_id": "<code>orderer</code>", "a scope in words": "See your name",
		"the resource": "<code>https://api.example.com/catalog</code>", "the lifetime": "10 minutes at a time", "how long at most": "up to 180 days",
		"that it is verified": "Verified address", "the details in words": "<h3><bdi>Order 3 times Tea, green</bdi></h3>",
		"a field with its value": "<dt><bdi>Article</bdi></dt><dd><bdi>Tea, green</bdi></dd>", "where it is for": "<dt>In</dt><dd><bdi>catalog</bdi></dd>",
		"the privacy page": `<a href="https://tea.example.com/privacy"`, "where it goes": "<bdi>app.example.com</bdi>", "who is asked": "<bdi>ada</bdi>",
	} {
		if !strings.Contains(page.body, mark) {
			t.Errorf("the page does not show %s: %s", what, mark)
		}
	}
	if strings.Contains(page.body, "javascript:") {
		t.Error("an address that is not https became a link")
	}
}

func TestAZ17HostileNamesOnTheConsentPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{clients: []oauth.Client{orderer, hostile}})
	b := h.browser()
	page := b.signIn("client_id", "hostile", "redirect_uri", "https://evil.example/cb",
		"authorization_details", `[{"type":"order","item":"</dd><script>alert(1)</script>","count":1}]`)
	for what, mark := range map[string]string{
		"that it is not verified": "Unverified", "why": "it has registered itself", "that the developer is its own word": ", as it says itself",
		"a warning of letters that look alike": "The name mixes letters", "the values, escaped": "&lt;script&gt;alert(1)&lt;/script&gt;",
	} {
		if !strings.Contains(page.body, mark) {
			t.Errorf("the page does not show %s", what)
		}
	}
	for what, mark := range map[string]string{
		"HTML of a name": "<b>", "a tag of a developer": "<img", "a script": "<script>", "an override of direction": "\u202e", "a line separator": "\u2028",
		"a tower of marks": "\u0301\u0301\u0301", "500 characters of a name": strings.Repeat("x", 100), "a link of a stranger": "https://evil.example/p", "data:": "data:",
	} {
		if strings.Contains(page.body, mark) {
			t.Errorf("the page has %s", what)
		}
	}
}

// A client that somebody of the operator's has let in may show its pages (OpenID
// Connect Registration §2), as one that registered itself may not; and nobody is
// told of a renewal that the client cannot ask for.
func TestAZ17ConsentOfAVouchedClient(t *testing.T) {
	t.Parallel()
	vouched := orderer
	vouched.ID, vouched.Origin, vouched.Settings.GrantTypes = "vouched", oauth.OriginVouched, []string{"authorization_code"}
	open := vouched
	open.ID, open.Origin = "open", oauth.OriginRegistered
	h := newHouse(t, options{clients: []oauth.Client{vouched, open}})
	const link = `href="https://tea.example.com/privacy"`
	page := h.browser().signIn("client_id", "vouched", "scope", "openid")
	if !strings.Contains(page.body, link) || !strings.Contains(page.body, "it has registered itself") {
		t.Errorf("no link, or no warning: %s", page.body)
	}
	if strings.Contains(page.body, "may renew") || !strings.Contains(page.body, "10 minutes and is not renewed.") {
		t.Errorf("how long access lasts is not what it is: %s", page.body)
	}
	if page := h.browser().signIn("client_id", "open", "scope", "openid"); strings.Contains(page.body, link) {
		t.Error("a link of a stranger")
	}
}

// One payment is not the next: what was agreed to in detail is asked each time,
// and never granted in silence.
func TestPR12DetailsAreConsentedEachTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{clients: []oauth.Client{orderer}})
	b := h.browser()
	ask := []string{"client_id", "orderer", "scope", "openid", "authorization_details", `[{"type":"order","item":"Tea","count":3}]`}
	if r := b.submit(b.signIn(ask...), "decision", "allow"); r.StatusCode != 303 {
		t.Fatal(r.StatusCode)
	}
	if page := b.follow(b.get(authorizeURL(ask...))); page.StatusCode != 200 || !strings.Contains(page.body, "Order 3 times Tea") {
		t.Errorf("the second request is not asked: %d", page.StatusCode)
	}
	silent := b.follow(b.get(authorizeURL(append(ask, "prompt", "none")...)))
	u, err := url.Parse(silent.Header.Get("Location"))
	if err != nil || u.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none: %q", silent.Header.Get("Location"))
	}
	if r := b.get(authorizeURL("client_id", "orderer", "scope", "openid")); !strings.Contains(r.Header.Get("Location"), "code=") {
		t.Errorf("without details the person has agreed before: %q", r.Header.Get("Location"))
	}
}
