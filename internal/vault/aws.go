package vault

import (
	"errors"
	"strings"

	"sallyport/internal/secret"
)

// AccessKey is an access key of AWS.
type AccessKey struct {
	ID      string
	Secret  secret.Value
	Session secret.Value // of a temporary one; zero otherwise
}

// ParseAWSAccessKey reads ID:SECRET or ID:SECRET:SESSION_TOKEN, which belong together
// and so change together. The error quotes nothing.
func ParseAWSAccessKey(value secret.Value) (AccessKey, error) {
	parts := strings.Split(value.Reveal(), ":")
	switch {
	case len(parts) != 2 && len(parts) != 3:
		return AccessKey{}, errors.New("is not ACCESS_KEY_ID:SECRET_ACCESS_KEY, or with :SESSION_TOKEN after it")
	case len(parts[0]) < 8 || len(parts[0]) > 128 || !isAlphanumeric(parts[0]):
		return AccessKey{}, errors.New("has an access key ID that is not letters and digits")
	case len(parts[1]) < 16 || strings.ContainsAny(parts[1], " \t"):
		return AccessKey{}, errors.New("has a secret access key that is too short, or has spaces")
	}
	k := AccessKey{ID: parts[0], Secret: secret.New(parts[1])}
	if len(parts) == 3 {
		if len(parts[2]) < 16 || strings.ContainsAny(parts[2], " \t") {
			return AccessKey{}, errors.New("has a session token that is too short, or has spaces")
		}
		k.Session = secret.New(parts[2])
	}
	return k, nil
}

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}
