package web

import "testing"

func TestPrefers(t *testing.T) {
	t.Parallel()
	const want, other = "application/token-introspection+jwt", "application/json"
	for accept, jwt := range map[string]bool{
		"":                                    false,
		"*/*":                                 false,
		"application/*":                       false,
		other:                                 false,
		want:                                  true,
		"Application/Token-Introspection+JWT": true,
		want + ", " + other:                   true,
		want + ";q=0.5, " + other:             false,
		want + ";q=0.5, " + other + ";q=0.4":  true,
		want + ";q=0":                         false,
		want + ";q=x":                         false,
		want + ";q=NaN":                       false,
		want + ";q=2":                         false,
		"text/html, " + want + ";q=0.9, */*":  true,
		want + "x":                            false,
		";;;, " + want:                        true,
	} {
		if got := prefers([]string{accept}, want, other); got != jwt {
			t.Errorf("%q: %v", accept, got)
		}
	}
	if !prefers([]string{other + ";q=0.1", want}, want, other) || prefers(nil, want, other) {
		t.Error("lines of the header are one list")
	}
}

// FuzzPrefers: whatever stands in Accept, the answer is one of the two.
func FuzzPrefers(f *testing.F) {
	f.Add("application/json;q=0.2, */*")
	f.Add("application/token-introspection+jwt;q=1e309")
	f.Fuzz(func(_ *testing.T, accept string) {
		prefers([]string{accept}, "application/token-introspection+jwt", "application/json")
	})
}
