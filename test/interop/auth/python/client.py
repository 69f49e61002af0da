"""Gets tokens with Authlib as it is published: private_key_jwt."""

import sys

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

issuer, ca_file, client_id, key_file = sys.argv[1:]
with open(key_file, encoding="ascii") as f:
    key = ECKey.import_key(f.read())
endpoint = issuer + "/oauth/token"
session = OAuth2Session(
    client_id, key, scope="catalog.read",
    token_endpoint_auth_method=PrivateKeyJWT(endpoint, headers={"kid": "k1"}, alg="ES256"),
)
session.verify, session.trust_env = ca_file, False
for _ in range(2):  # each assertion counts once
    token = session.fetch_token(endpoint, grant_type="client_credentials")
    print("private_key_jwt", token["access_token"])
