package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

// responses is what the client wants of its answers, with the keys of its file.
func (c *clientConfig) responses(base *config) (oauth.Responses, error) {
	r := oauth.Responses{
		JWKSURI:    c.JWKSURI,
		IDTokenAlg: jose.Algorithm(c.IDTokenAlg), IDTokenEnc: jose.Encryption(c.IDTokenEnc),
		UserInfoSig: jose.Algorithm(c.UserInfoSig), UserInfoAlg: jose.Algorithm(c.UserInfoAlg), UserInfoEnc: jose.Encryption(c.UserInfoEnc),
	}
	var err error
	if c.JWKSFile != "" {
		r.JWKS, err = readKeys(base.file(c.JWKSFile))
	}
	return r, err
}

// responseProblem judges the answers that a client wants, from wherever it came,
// and names the setting as the configuration file does.
func (base *config) responseProblem(c oauth.Client) problem {
	r := &c.Responses
	if setting, why := r.Problem(); setting != "" {
		if setting == "jwks" {
			setting = "jwks_file"
		}
		return problem{Path: setting, Text: why}
	}
	if why := keysAddressProblem(r.JWKSURI); r.JWKSURI != "" && why != "" {
		return problem{Path: "jwks_uri", Text: why}
	}
	if r.JWKSURI != "" && !base.unclear("issuer") {
		if why := unaskedProblem(base.clientDoor(), r.JWKSURI, ""); why != "" {
			return problem{Path: "jwks_uri", Text: why}
		}
	}
	if c.Type != oauth.ServiceClient {
		return problem{}
	}
	switch {
	case r.IDTokenAlg != "":
		return problem{Path: "id_token_encrypted_response_alg", Text: "is for people, and a service client acts for itself"}
	case r.UserInfoSig != "":
		return problem{Path: "userinfo_signed_response_alg", Text: "is for people, and a service client acts for itself"}
	}
	return problem{}
}

func checkClientResponses(j *judge) {
	for i := range j.c.Clients {
		at, c := fmt.Sprintf("clients[%d]", i), j.c.Clients[i].client()
		var err error
		if c.Responses, err = j.c.Clients[i].responses(j.c); err != nil {
			j.failf(at+".jwks_file", "%v", err)
			continue
		}
		if p := j.c.responseProblem(c); p.Text != "" {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
	}
}

// responseFlags are the flags of client add for them; the names are those of
// the settings.
func responseFlags(cmd *cobra.Command, c *clientConfig) {
	for _, f := range []struct {
		to         *string
		name, what string
	}{
		{&c.JWKSFile, "jwks-file", "`FILE` with the public keys of the client, a JWK Set"},
		{&c.JWKSURI, "jwks-uri", "`URL` of these keys, instead"},
		{&c.IDTokenAlg, "id-token-encrypted-response-alg", "encrypt ID tokens, with keys found by `ALG`"},
		{&c.IDTokenEnc, "id-token-encrypted-response-enc", "and content by `ENC`"},
		{&c.UserInfoSig, "userinfo-signed-response-alg", "sign userinfo answers by `ALG`"},
		{&c.UserInfoAlg, "userinfo-encrypted-response-alg", "and encrypt them, with keys found by `ALG`"},
		{&c.UserInfoEnc, "userinfo-encrypted-response-enc", "and content by `ENC`"},
	} {
		cmd.Flags().StringVar(f.to, f.name, "", f.what)
	}
}

// answersText is r on one line, without keys.
func answersText(r oauth.Responses) string {
	var list []string
	for _, s := range [][2]string{
		{"id_token_encrypted_response_alg", string(r.IDTokenAlg)},
		{"id_token_encrypted_response_enc", string(r.IDTokenEnc)},
		{"userinfo_signed_response_alg", string(r.UserInfoSig)},
		{"userinfo_encrypted_response_alg", string(r.UserInfoAlg)},
		{"userinfo_encrypted_response_enc", string(r.UserInfoEnc)},
		{"jwks_uri", r.JWKSURI},
	} {
		if s[1] != "" {
			list = append(list, s[0]+"="+s[1])
		}
	}
	return strings.Join(list, " ")
}
