package egress

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"sallyport/internal/secret"
)

const key = "sk+live/4f9Zq81LmX0vB7tRc2Wd"

// echoes are the ways in which an upstream may send the key back.
func echoes() map[string]string {
	jsoned, _ := json.Marshal(map[string]string{"key": key}) //nolint:errchkjson // a map of strings
	m := map[string]string{
		"plain": key, "json": string(jsoned), "json, slashes escaped": strings.ReplaceAll(key, "/", `\/`),
		"url": url.QueryEscape(key), "url twice": url.QueryEscape(url.QueryEscape(key)),
		"hex": hex.EncodeToString([]byte(key)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(key))),
		"cut": key[:20], "html": strings.ReplaceAll(key, "/", "&#x2F;"),
		"utf-16": strings.Join(strings.Split(key, ""), "\x00") + "\x00",
	}
	for i := range key {
		m["json, all escaped"] += fmt.Sprintf(`\u%04x`, key[i])
		m["url, all escaped"] += fmt.Sprintf("%%%02X", key[i])
	}
	for before := range 3 {
		text := strings.Repeat("x", before) + key + "yz"
		m[fmt.Sprint("base64 at ", before)] = base64.StdEncoding.EncodeToString([]byte(text))
		m[fmt.Sprint("base64url at ", before)] = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	return m
}

func TestEG03AnEchoIsMaskedAcrossEveryBorder(t *testing.T) {
	t.Parallel()
	n := newNeedles([]secret.Value{secret.New(key)})
	readers := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
	}
	for name, echo := range echoes() {
		for how, pieces := range readers {
			text := `{"before":"` + echo + `","after":"all & well \"100%\" eyJ="}`
			found := false
			got, err := io.ReadAll(newScrubbed(pieces(strings.NewReader(text)), n, func() { found = true }))
			switch {
			case err != nil || !found || len(got) != len(text):
				t.Errorf("%s, %s: %v, found %v, %d bytes of %d", name, how, err, found, len(got), len(text))
			case !strings.HasPrefix(string(got), `{"before":"`) || !strings.HasSuffix(string(got), `","after":"all & well \"100%\" eyJ="}`):
				t.Errorf("%s, %s: more than the key is masked: %s", name, how, got)
			case strings.Count(string(got), "*") < len(echo)-12:
				t.Errorf("%s, %s: %s", name, how, got)
			}
		}
	}
}

func TestEG03WhatIsNoEchoPassesUnchanged(t *testing.T) {
	t.Parallel()
	n := newNeedles([]secret.Value{secret.New(key)})
	text := strings.Repeat(`{"a":"sk+live","b":"\u0041 % \\ &amp; & %zz","c":"`+key[:gram-1]+`"}`+"\n", 3000)
	got, err := io.ReadAll(newScrubbed(strings.NewReader(text), n, func() { t.Error("found") }))
	if err != nil || string(got) != text {
		t.Errorf("%v, changed: %v", err, string(got) != text)
	}
}

// An event of a stream must not wait for the next one.
func TestEG03NothingIsHeldThatCannotBeginAnEcho(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, "data: Wd2cRt7B\n\n") }()
	s := newScrubbed(r, newNeedles([]secret.Value{secret.New(key)}), func() {})
	buf := make([]byte, 16)
	if _, err := io.ReadFull(s, buf); err != nil || string(buf) != "data: Wd2cRt7B\n\n" {
		t.Errorf("%q, %v", buf, err)
	}
}

func FuzzScrub(f *testing.F) {
	for _, e := range echoes() {
		f.Add([]byte(e), 3)
	}
	n := newNeedles([]secret.Value{secret.New(key)})
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if cut < 0 || cut > len(text) {
			cut = len(text) / 2
		}
		in := io.MultiReader(strings.NewReader(string(text[:cut])), strings.NewReader(string(text[cut:])))
		got, err := io.ReadAll(newScrubbed(in, n, func() {}))
		if err != nil || len(got) != len(text) || strings.Contains(string(got), key[:gram]) {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	})
}
