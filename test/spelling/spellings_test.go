package spelling_test

import (
	"math/rand/v2"
	"net/url"
	"strings"
)

// hidden is the address that the caller may not use, below the path of an API.
const hidden = "/admin/keys"

var separators = []string{
	"//", "///", "/./", "/%2e/", "/%2E/", "/.%2f", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/%2e./", "/x/..%2f", "/x%2f..%2f", "/x/..%5c", `\`, `/x/..\`,
	"%2f", "%2F", "%5c", "%5C", "/;/", "/;x=1/", "/..;/", "%252f", "%25252f", "/%252e/", "%c0%af", "%e0%80%af", "%c1%9c", "%ef%bc%8f", "%ef%bc%bc",
	"%e2%88%95", "%e2%81%84", "/%ef%bc%8e/", "/x/%ef%bc%8e%ef%bc%8e/", "%u002f", "%25u002f", "/%00/", "%0a/", "/%09", "\t/", "/%20/", " /", "/x/..././", "/x/%252e%252e/", "/%2f",
}

var tails = []string{
	"/", "/.", "/..", "/%2e", ".", "..", "%2e", "%20", "%00", "%00.css", ";", ";.css", ";jsessionid=1", "%3b.css", "%3f.css", "%23.css", "#x", "#", "%0a", "%0d%0a", "%09", "%7f",
	"%", "%2", "%zz", "%u0000", "%80", "%ff", "%c2%85", "%ef%bb%bf", "/x/..", "/x/%2e%2e", "/%2e%2e/keys", "%25", "%2500", "\x80", "\xff", "\x7f", "|", "^", "`", "<", `"`, "{", "[", "?", "?x=1", "??", "?#",
	"?_method=DELETE", "?_METHOD=DELETE", "?%5fmethod=DELETE", "?a;_method=DELETE", ".json", "/..%2fkeys",
}

// spellings returns n targets that a reader of some kind takes for base+hidden,
// the same each time.
func spellings(base string, n int) []string {
	seen := map[string]bool{}
	var list []string
	add := func(s string) {
		if !seen[s] && len(list) < n {
			seen[s] = true
			list = append(list, s)
		}
	}
	whole := base + hidden
	add(whole)
	for _, sep := range separators {
		add(base + sep + "admin/keys")
		add(base + "/admin" + sep + "keys")
		add(sep + strings.TrimPrefix(whole, "/"))
		add(whole + sep)
		add(base + "/items" + sep + ".." + hidden)
		add(base + "/items/.." + sep + "admin/keys")
	}
	for _, tail := range tails {
		add(whole + tail)
		add(base + "/items/1" + tail)
	}
	for _, s := range []string{
		"http://HOST" + whole, "https://HOST" + whole, "//HOST" + whole, "https://HOST" + base + "/items/1", strings.TrimPrefix(whole, "/"), "*", strings.ToUpper(whole),
		base + "/" + strings.Repeat("a/../", 500) + "admin/keys", base + "/items/1?/.." + hidden, base + "/items/1%3f/.." + hidden, "/x/.." + whole, "/%2e%2e" + whole,
	} {
		add(s)
	}
	// The rest mixes: letters in other forms, and other separators between them.
	chance := rand.New(rand.NewPCG(14, 2000))
	for len(list) < n {
		var b strings.Builder
		for _, c := range whole {
			switch {
			case c == '/' && b.Len() > 0 && chance.IntN(3) == 0:
				b.WriteString(separators[chance.IntN(len(separators))])
			case c != '/' && chance.IntN(6) == 0:
				b.WriteString(otherForm(chance, byte(c)))
			default:
				b.WriteRune(c)
			}
		}
		if chance.IntN(3) == 0 {
			b.WriteString(tails[chance.IntN(len(tails))])
		}
		add(b.String())
	}
	return list
}

// otherForm is a letter as some readers spell it.
func otherForm(chance *rand.Rand, c byte) string {
	const digits = "0123456789abcdef"
	hex := string(digits[c>>4]) + string(digits[c&15])
	switch chance.IntN(6) {
	case 0:
		return "%" + hex
	case 1:
		return "%25" + hex
	case 2:
		return "%u00" + hex
	case 3:
		return url.PathEscape(string(rune(c-'a') + '\uff41'))
	case 4:
		return "%" + strings.ToUpper(hex)
	}
	return strings.ToUpper(string(rune(c)))
}

// shapes are ways to bring in a header that a backend might believe, or to take
// away one that the gateway sets. TOKEN is the credential.
var shapes = []string{
	"Authorization: Bearer TOKEN\r\n",
	"Authorization: Bearer TOKEN\r\nX-User-Id: evil\r\nX-Forwarded-User: evil\r\nX-Sallyport-User: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX_User_Id: evil\r\nX.User.Id: evil\r\nx-user_id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nAuthorization_: evil\r\nAUTHORIZATION-: evil\r\n",
	"Authorization: Bearer TOKEN\r\nAuthorization: Bearer evil\r\n",
	"Authorization: Bearer TOKEN, Bearer evil\r\n",
	"Authorization: Bearer TOKEN\r\nConnection: Authorization, X-Forwarded-For, X-User-Id\r\nX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nConnection: close, Authorization\r\n",
	"X-Pad: a\r\n X-User-Id: evil\r\nAuthorization: Bearer TOKEN\r\n",
	"Authorization: Bearer TOKEN\r\n\tX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-User-Id : evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-User-Id\t: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-Pad: a\nX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-Pad: a\rX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-User-Id\x00: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-User-Id\xad: evil\r\nX\xad-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-Pad: a\x00\r\nX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\n: evil\r\nX-User-Id: evil\r\n",
	"Authorization: Bearer TOKEN\r\nX-HTTP-Method-Override: DELETE\r\n",
	"Authorization: Bearer TOKEN\r\nX_HTTP_Method_Override: DELETE\r\n",
	"Authorization: Bearer TOKEN\r\nX-Original-URL: /admin/keys\r\nX-Rewrite-URL: /admin/keys\r\n",
	"Authorization: Bearer TOKEN\r\nHost: evil\r\n",
	"Authorization: Bearer TOKEN\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
	"Authorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
	"Authorization: Bearer TOKEN\r\nTransfer-Encoding:\x0bchunked\r\n",
	"Authorization: Bearer TOKEN\r\nContent-Length: 0\r\nTransfer-Encoding : chunked\r\n",
	"Authorization: Bearer TOKEN\r\nContent-Length: 3\r\nContent-Length: 0\r\n",
	"Authorization: Bearer TOKEN\r\nContent-Length: +0\r\n",
	"Authorization: Bearer TOKEN\r\nCookie: sid=evil\r\nX-Forwarded-For: evil\r\nForwarded: for=evil\r\nVia: evil\r\n",
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "Get", "DELETE/", "GET\t", "MKCOL", "G\x00ET"}
