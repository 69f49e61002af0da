package locale

import "strings"

// Device is how people read the name of a device, as account.DeviceName makes
// it and the store keeps it, in English: "Firefox on Linux".
func (l *Language) Device(name string) string {
	browser, system, both := strings.Cut(name, " on ")
	browser = l.device(browser)
	if !both {
		return browser
	}
	return l.Text("device.on", "browser", browser, "system", system)
}

func (l *Language) device(browser string) string {
	switch browser {
	case "":
		return l.Text("device.unknown")
	case "a program":
		return l.Text("device.program")
	case "a browser":
		return l.Text("device.browser")
	}
	return browser
}
