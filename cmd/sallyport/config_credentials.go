package main

// apiCredentials are what an API takes besides access tokens.
type apiCredentials struct {
	APIKeys bool `yaml:"api_keys" example:"true" doc:"Accept API keys (sallyport apikey create) for the operations of tier low. A key never stands for a person."`
}

func (a *apiCredentials) keys() bool { return a.APIKeys }

// operationCredentials are where an operation takes its token from.
type operationCredentials struct {
	FormToken bool `yaml:"form_token" example:"false" doc:"Accept the access token in the body of a form too, as access_token, from clients that can set no header. Never with GET or DPoP; the backend gets the form without it."`
}
