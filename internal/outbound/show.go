package outbound

import (
	"net/url"
	"strconv"
	"strings"
)

// hidden stands where Show leaves something out.
const hidden = "…"

// Show quotes a URL that came from data, for people: without user information,
// query and fragment, any of which may be a credential. Of what cannot be told
// apart with certainty it shows the scheme at most.
func Show(raw string) string { return strconv.Quote(show(raw)) }

func show(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		if !strings.ContainsAny(raw, "@?#") {
			return raw
		}
		scheme, _, ok := strings.Cut(raw, "://")
		if !ok || strings.ContainsAny(scheme, "@?#:/") {
			return hidden
		}
		return scheme + "://" + hidden
	}
	text := ""
	if u.Scheme != "" {
		text = u.Scheme + ":"
	}
	if u.User != nil {
		text += "//" + hidden + "@" + u.Host
	} else if u.Host != "" || strings.HasPrefix(raw[len(text):], "//") {
		text += "//" + u.Host
	}
	if strings.Contains(u.Path, "@") {
		return u.Scheme + "://" + hidden // u:1/2@host has a path to one reader and a password to another
	}
	text += u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		text += "?" + hidden
	}
	if strings.Contains(raw, "#") {
		text += "#" + hidden
	}
	return text
}
