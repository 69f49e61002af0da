package rig

import (
	"encoding/base64"
	"net/url"
	"slices"
	"testing"
)

func TestFoundIn(t *testing.T) {
	const token = "spat_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	r := newRecord()
	r.Add("access_token", token)
	r.Add("password", "pass word+1")
	for name, text := range map[string]string{
		"whole":            `level=info msg="x" v=` + token,
		"without its head": token[30:],
		"its tail":         "…" + token[len(token)-24:],
		"base64":           base64.StdEncoding.EncodeToString([]byte(token)),
		"in a query":       "GET /?password=" + url.QueryEscape("pass word+1"),
	} {
		if len(r.FoundIn(text)) == 0 {
			t.Errorf("%s: nothing found in %q", name, text)
		}
	}
	for name, text := range map[string]string{"only the prefix": token[:12], "nothing": "GET /items/1 200"} {
		if found := r.FoundIn(text); len(found) != 0 {
			t.Errorf("%s: found %v in %q", name, found, text)
		}
	}
	if found := r.FoundIn(token, "access_token"); len(found) != 0 {
		t.Errorf("found %v, which was excepted", found)
	}
}

func TestForms(t *testing.T) {
	const page = `<form method=post action="/a"><button id="other">x</button></form>
<form method="post" action="/consent?x=1&amp;y=2" class='c'>
<input type="hidden" name="flow" value="a&quot;b"><label>Name <input name="username" autofocus required></label>
<input type=password name=password><input type="checkbox" name="yes" value="1" checked><input type="checkbox" name="no" value="1">
<button id="allow" name="decision" value="allow">Allow</button> <button type="submit" id="deny" name="decision" value="deny" formaction="/deny">No</button>
</form>`
	f, ok := find(page, "allow")
	if !ok {
		t.Fatal("the form was not found")
	}
	want := url.Values{"flow": {`a"b`}, "yes": {"1"}}
	if f.action != "/consent?x=1&y=2" || f.method != "POST" || f.fields.Encode() != want.Encode() {
		t.Errorf("got %s %s %v, want POST /consent?x=1&y=2 %v", f.method, f.action, f.fields, want)
	}
	if !slices.Equal(f.inputs, []string{"username", "password"}) {
		t.Errorf("got inputs %v", f.inputs)
	}
	if f.press["deny"] != (button{"decision", "deny", "/deny"}) || f.press["allow"] != (button{"decision", "allow", ""}) {
		t.Errorf("got buttons %v", f.press)
	}
	if _, ok := find(page, "login"); ok {
		t.Error("found a button that is not there")
	}
}
