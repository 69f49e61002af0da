package oauth

import "context"

// grantType is a way to get a token. To add one, write its file and a line
// here: metadata, client checks and the reference page follow from the table.
type grantType struct {
	name      string
	clients   []ClientType // who may be registered for it
	byDefault []ClientType // who may use it without being registered for it
	exchange  func(s *Service, ctx context.Context, c *Client, r Request) (*TokenResponse, error)
}

var forPeople = []ClientType{Native, Browser, Server}

var grantTypes = []grantType{
	{"authorization_code", forPeople, forPeople, (*Service).exchangeCode},
	{"refresh_token", forPeople, forPeople, (*Service).exchangeRefresh},
	{"client_credentials", []ClientType{ServiceClient, Server}, []ClientType{ServiceClient}, (*Service).exchangeClientCredentials},
	{GrantJWTBearer, []ClientType{ServiceClient}, nil, (*Service).exchangeJWTBearer},
	{GrantTokenExchange, []ClientType{ServiceClient, Server}, nil, (*Service).exchangeToken},
	{grantDevice, []ClientType{Native, Server}, nil, (*Service).exchangeDevice},
	{grantCIBA, []ClientType{Server}, nil, (*Service).exchangeCIBA},
}

// refusedGrants are grant types that will never exist here, with what to use
// instead.
var refusedGrants = map[string]string{
	"password": "the password grant is not supported: use authorization_code with PKCE in the system browser",
	"implicit": "the implicit grant is not supported: use authorization_code with PKCE",
}
