package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"sallyport/internal/token/jose"
)

// github is where GitHub's endpoints are, or those of an Enterprise Server. It has no
// metadata.
func (p *provider) github() *metadata {
	base := p.issuer()
	api := base + "/api/v3"
	if base == kinds[GitHub].issuer {
		api = "https://api.github.com"
	}
	return &metadata{
		issuer: base, authorization: base + "/login/oauth/authorize", token: base + "/login/oauth/access_token", userinfo: api + "/user",
		methods: []string{"client_secret_post"},
	}
}

// githubPerson asks GitHub whose access token it is: there is no ID token. We have it
// from GitHub itself, for our own code and verifier, so it was made for us. The subject
// is the number, which is never used again; a login is.
func (p *provider) githubPerson(ctx context.Context, m *metadata, got tokens) (Person, error) {
	body, err := p.get(ctx, m.userinfo, got.access, "github_user")
	if err != nil {
		return Person{}, err
	}
	who, err := parseGitHubUser(body)
	if err != nil {
		return Person{}, err
	}
	who.Provider, who.Issuer = p.Name, m.issuer
	if p.has("user:email") {
		list, err := p.get(ctx, m.userinfo+"/emails?per_page=100", got.access, "github_emails")
		if err != nil {
			return Person{}, err
		}
		email, verified, err := parseGitHubEmails(list)
		if err != nil {
			return Person{}, err
		}
		who.Email, who.EmailVerified = email, verified && p.believes(email)
	}
	return who, nil
}

func parseGitHubUser(body []byte) (Person, error) {
	user, err := parseMembers(body)
	if err != nil {
		return Person{}, refuse("github_user_form")
	}
	id, err := strconv.ParseInt(string(user["id"]), 10, 64)
	if err != nil || id <= 0 {
		return Person{}, refuse("github_user_id")
	}
	kind, err1 := user.text("type")
	login, err2 := user.text("login")
	name, err3 := user.text("name")
	if errors.Join(err1, err2, err3) != nil || login == "" || kind != "" && kind != "User" {
		return Person{}, refuse("github_user_form")
	}
	return Person{Subject: strconv.FormatInt(id, 10), Login: showable(login), Name: showable(name)}, nil
}

const maxGitHubEmails = 100

// parseGitHubEmails returns the primary address, if there is one.
func parseGitHubEmails(body []byte) (email string, verified bool, err error) {
	// The strict reader reads objects: the list is made a member of one.
	var list []json.RawMessage
	err = jose.ScanObject(append(append([]byte(`{"emails":`), body...), '}'), func(name string, value []byte) error {
		if name != "emails" {
			return errors.New("more than a list")
		}
		return json.Unmarshal(value, &list)
	})
	if err != nil || len(list) > maxGitHubEmails {
		return "", false, refuse("github_emails_form")
	}
	for _, raw := range list {
		one, err := parseMembers(raw)
		if err != nil {
			return "", false, refuse("github_emails_form")
		}
		address, err := one.text("email")
		if err == nil && string(one["primary"]) == "true" && isAddress(address) {
			return address, string(one["verified"]) == "true", nil
		}
	}
	return "", false, nil
}
