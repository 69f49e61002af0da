package oauth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

func TestCL09DistinguishedNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][][]attribute{
		"CN=shop":                              {{{"2.5.4.3", "shop"}}},
		"cn=shop, O=Example":                   {{{"2.5.4.3", "shop"}}, {{"2.5.4.10", "Example"}}},
		`CN=a\,b\+c\"d\\e\3d,DC=net`:           {{{"2.5.4.3", `a,b+c"d\e=`}}, {{"0.9.2342.19200300.100.1.25", "net"}}},
		`CN=\ a b\ ,OU=x+L=y`:                  {{{"2.5.4.3", " a b "}}, {{"2.5.4.11", "x"}, {"2.5.4.7", "y"}}},
		`SN=Lu\C4\8Di\C4\87`:                   {{{"2.5.4.4", "Lučić"}}},
		`2.5.4.3=#0C0473686F70`:                {{{"2.5.4.3", "shop"}}},
		`1.3.6.1.4.1.1466.0=\#04024869`:        {{{"1.3.6.1.4.1.1466.0", "#04024869"}}},
		"emailAddress=shop@example.com,CN=a=b": {{{"1.2.840.113549.1.9.1", "shop@example.com"}}, {{"2.5.4.3", "a=b"}}},
	} {
		got, err := parseDN(text)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %v", text, got, err)
			continue
		}
		for i := range want {
			if len(got[i]) != len(want[i]) || got[i][0] != want[i][0] {
				t.Errorf("%s: %v, want %v", text, got[i], want[i])
			}
		}
	}
	for _, text := range []string{
		"", "shop", "CN", "CN=", "CN=shop,", ",CN=shop", "CN=shop,,O=x", "CN= shop", "CN=shop ", "CN=shop ,O=x", "XX=shop", "CN=a;O=b", `CN=a"b"`,
		`CN=a\`, `CN=a\z`, `CN=a\4`, "CN=#", "CN=#0C", "CN=#0C0473686F7000", "CN=#020101", "2=x", "02.5=x", "CN=a\x00b", "CN=<a>", `CN=\ff`,
		"CN=a+", "CN=" + strings.Repeat("x", maxDN), "CN =x", "/CN=shop",
	} {
		if got, err := parseDN(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// What is read names the certificate that says the same, and no other.
func FuzzDistinguishedName(f *testing.F) {
	for _, s := range []string{"CN=shop,O=Example\\, Inc", "2.5.4.3=#0C0473686F70+OU=x", `CN=\ a\20`, "CN=a,OU=b+L=c", "CN=\\C4\\8D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rdns, err := parseDN(text)
		if err != nil {
			return
		}
		var seq, longer pkix.RDNSequence
		for i := range rdns {
			var set pkix.RelativeDistinguishedNameSET
			for _, a := range rdns[len(rdns)-1-i] {
				var oid asn1.ObjectIdentifier
				for part := range strings.SplitSeq(a.oid, ".") {
					n := 0
					for _, c := range part {
						if n > 1<<24 {
							return // larger numbers than Go encodes
						}
						n = n*10 + int(c-'0')
					}
					oid = append(oid, n)
				}
				set = append(set, pkix.AttributeTypeAndValue{Type: oid, Value: a.value})
			}
			seq = append(seq, set)
		}
		der, err := asn1.Marshal(seq)
		if err != nil {
			return // an OID that does not exist
		}
		if !subjectIs(&x509.Certificate{RawSubject: der}, text) {
			t.Fatalf("%q does not name %v", text, seq)
		}
		longer = append(seq, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "more"}})
		if der, err = asn1.Marshal(longer); err != nil || subjectIs(&x509.Certificate{RawSubject: der}, text) {
			t.Fatalf("%q also names %v", text, longer)
		}
	})
}
