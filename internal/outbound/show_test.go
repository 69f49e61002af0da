package outbound_test

import (
	"strings"
	"testing"

	"sallyport/internal/outbound"
)

func TestLG03ShownAddressesCarryNoCredential(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://h.example/j":              `"https://h.example/j"`,
		"https://h.example:8443/a%20b":     `"https://h.example:8443/a%20b"`,
		"com.example.app:/callback":        `"com.example.app:/callback"`,
		"myapp:cb":                         `"myapp:cb"`,
		"127.0.0.1:9000":                   `"127.0.0.1:9000"`,
		"a":                                `"a"`,
		"":                                 `""`,
		"https:///cb":                      `"https:///cb"`,
		"https://h/j#":                     `"https://h/j#…"`,
		"smtps://u:hunter2@h":              `"smtps://…@h"`,
		"https://hunter2@h/j":              `"https://…@h/j"`,
		"https://h/j?key=hunter2":          `"https://h/j?…"`,
		"https://h/j#hunter2":              `"https://h/j#…"`,
		"https://u:1/hunter2@h/j":          `"https://…"`,
		"https://u:hun/ter2@h/j":           `"https://…"`,
		"https://u:%hunter2@h":             `"https://…"`,
		"https://h:x?hunter2":              `"https://…"`,
		"u:hunter2@h":                      `"…"`,
		"hunter2@h://x":                    `"…"`,
		"//u:hunter2@h":                    `"//…@h"`,
		"https:u:hunter2@h":                `"…"`,
		"smtps://u:hun?ter2@h":             `"smtps://…"`,
		"https://u:hunter2@h/j?a=hunter2#": `"https://…@h/j?…#…"`,
	} {
		got := outbound.Show(raw)
		if got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
		if strings.Contains(got, "hunter") || strings.Contains(got, "ter2") {
			t.Errorf("%s is shown with its password: %s", raw, got)
		}
	}
}

func TestEG05NetworksOfTheOperatorArePrivate(t *testing.T) {
	t.Parallel()
	for network, good := range map[string]bool{
		"10.0.0.0/8": true, "10.1.0.0/16": true, "192.168.1.7/32": true, "172.16.0.0/12": true, "100.64.0.0/10": true, "fd12::/16": true, "fc00::/7": true,
		"10.1.2.3/8": false, "0.0.0.0/0": false, "::/0": false, "10.0.0.0/7": false, "8.8.8.0/24": false, "127.0.0.0/8": false, "169.254.0.0/16": false, "fe80::/10": false,
		"ten": false, "10.0.0.1": false, "": false, "::ffff:10.0.0.0/104": false,
	} {
		if _, err := outbound.ParseNetwork(network); (err == nil) != good {
			t.Errorf("%q: %v, want good: %t", network, err, good)
		}
	}
}
