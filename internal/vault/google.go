package vault

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"

	"sallyport/internal/secret"
)

// ServiceAccount is what the JSON file of a Google service account says.
type ServiceAccount struct {
	Email    string // client_email: iss of its assertions
	KeyID    string // private_key_id
	Project  string
	TokenURI string // as the file says; whoever calls it decides whether to
	Key      *rsa.PrivateKey
}

// ParseServiceAccount reads the file that Google's console makes. The error says
// what is wrong and quotes nothing: the file is a credential.
func ParseServiceAccount(value secret.Value) (ServiceAccount, error) {
	var file struct {
		Type       string `json:"type"`
		Project    string `json:"project_id"`
		KeyID      string `json:"private_key_id"`
		PrivateKey string `json:"private_key"`
		Email      string `json:"client_email"`
		TokenURI   string `json:"token_uri"`
	}
	if json.Unmarshal([]byte(value.Reveal()), &file) != nil {
		return ServiceAccount{}, errors.New("is not JSON: give the file that Google made, as it is")
	}
	switch {
	case file.Type != "service_account":
		return ServiceAccount{}, errors.New("is not the file of a service account: its type is another one")
	case file.KeyID == "" || !strings.Contains(file.Email, "@"):
		return ServiceAccount{}, errors.New("lacks client_email or private_key_id")
	}
	block, _ := pem.Decode([]byte(file.PrivateKey))
	if block == nil {
		return ServiceAccount{}, errors.New("has no private_key in PEM form")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return ServiceAccount{}, errors.New("has a private_key that is not PKCS #8")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < minRSABits {
		return ServiceAccount{}, errors.New("has a private_key that is not RSA of 2048 bits or more")
	}
	return ServiceAccount{Email: file.Email, KeyID: file.KeyID, Project: file.Project, TokenURI: file.TokenURI, Key: key}, nil
}

const minRSABits = 2048
