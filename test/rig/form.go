package rig

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

// form is an HTML form as a browser without JavaScript would send it.
type form struct {
	action string
	method string
	fields url.Values // what is sent whatever is pressed
	inputs []string   // names of the fields that a person fills
	press  map[string]button
}

// button is one way to send a form; a person knows it by its id.
type button struct{ name, value, action string }

var (
	formTag = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	control = regexp.MustCompile(`(?is)<(input|button)\b([^>]*)>`)
	attr    = regexp.MustCompile(`(?is)([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?`)
)

func attributes(s string) map[string]string {
	m := map[string]string{}
	for _, a := range attr.FindAllStringSubmatch(s, -1) {
		m[strings.ToLower(a[1])] = html.UnescapeString(a[2] + a[3] + a[4])
	}
	return m
}

// forms reads the forms of a page of ours, which are regular enough for it.
func forms(page string) []form {
	var list []form
	for _, m := range formTag.FindAllStringSubmatch(page, -1) {
		a := attributes(m[1])
		f := form{action: a["action"], method: strings.ToUpper(a["method"]), fields: url.Values{}, press: map[string]button{}}
		for _, c := range control.FindAllStringSubmatch(m[2], -1) {
			f.control(strings.ToLower(c[1]), attributes(c[2]))
		}
		list = append(list, f)
	}
	return list
}

func (f *form) control(tag string, a map[string]string) {
	kind := strings.ToLower(a["type"])
	switch {
	case tag == "button" || kind == "submit":
		id := a["id"]
		if id == "" {
			id = a["name"]
		}
		f.press[id] = button{a["name"], a["value"], a["formaction"]}
	case kind == "hidden":
		f.fields.Add(a["name"], a["value"])
	case kind == "checkbox" || kind == "radio":
		if _, checked := a["checked"]; checked {
			f.fields.Add(a["name"], a["value"])
		}
	default:
		f.inputs = append(f.inputs, a["name"])
	}
}

// find returns the form that has the button.
func find(page, buttonID string) (form, bool) {
	for _, f := range forms(page) {
		if _, ok := f.press[buttonID]; ok {
			return f, true
		}
	}
	return form{}, false
}
