package passkey_test

import (
	_ "github.com/descope/virtualwebauthn"
	_ "github.com/fxamacker/cbor/v2"
)
