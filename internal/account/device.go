package account

import "strings"

// maxUserAgent is how much of a User-Agent is looked at; what decides stands in
// the beginning, and strangers write the rest.
const maxUserAgent = 512

// Names of what cannot be told more exactly.
const (
	SomeProgram = "a program"
	SomeBrowser = "a browser"
	// deviceOn stands between the browser and the system.
	deviceOn = " on "
)

type sign struct{ token, name string }

// browsers are told apart by the first line that fits: most name others as well,
// so that pages take them for those.
var browsers = []sign{
	{"EdgA/", "Edge"},
	{"EdgiOS/", "Edge"},
	{"Edg/", "Edge"},
	{"Edge/", "Edge"},
	{"OPR/", "Opera"},
	{"OPT/", "Opera"},
	{"OPiOS/", "Opera"},
	{"Opera/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"},
	{"YaBrowser/", "Yandex Browser"},
	{"UCBrowser/", "UC Browser"},
	{"DuckDuckGo/", "DuckDuckGo"},
	{"Ddg/", "DuckDuckGo"},
	{"MiuiBrowser/", "Mi Browser"},
	{"Brave/", "Brave"},
	{"FxiOS/", "Firefox"},
	{"Firefox/", "Firefox"},
	{"SeaMonkey/", "SeaMonkey"},
	{"CriOS/", "Chrome"},
	{"Chrome/", "Chrome"},
	{"Chromium/", "Chromium"},
	{"Trident/", "Internet Explorer"},
	{"MSIE ", "Internet Explorer"},
	{"Epiphany/", "Epiphany"},
	{"Safari/", "Safari"},
	{"AppleWebKit/", "Safari"},
}

// systems likewise: Android says Linux too, and an iPhone "like Mac OS X".
var systems = []sign{
	{"iPhone", "iPhone"},
	{"iPod", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"Windows", "Windows"},
	{"CrOS", "ChromeOS"},
	{"Macintosh", "Mac"},
	{"Mac OS X", "Mac"},
	{"FreeBSD", "FreeBSD"},
	{"OpenBSD", "OpenBSD"},
	{"Linux", "Linux"},
	{"X11", "Linux"},
}

// DeviceName says in a few words what a User-Agent header stands for, such as
// "Firefox on Linux": browser and system, without versions, so that an update
// makes no new device of it. What is not in our tables is SomeBrowser or
// SomeProgram: nothing of what a stranger writes is in the name. It is at most
// 40 bytes, and pages show it in their language (locale.Language.Device).
func DeviceName(userAgent string) string {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	if !strings.HasPrefix(userAgent, "Mozilla/") && !strings.HasPrefix(userAgent, "Opera/") {
		return SomeProgram
	}
	browser, system := named(browsers, userAgent), named(systems, userAgent)
	switch {
	case browser == "":
		browser = SomeBrowser
	case system == "" && browser == "Safari": // every program with a web view says AppleWebKit
		browser = SomeBrowser
	}
	if system == "" {
		return browser
	}
	return browser + deviceOn + system
}

func named(table []sign, s string) string {
	for _, line := range table {
		if strings.Contains(s, line.token) {
			return line.name
		}
	}
	return ""
}
