"""The verification of the inner token."""
import base64
import json
import os
import warnings

from joserfc import jwt
from joserfc.errors import SecurityWarning

from keys import Keys

ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
keys = Keys(os.environ.get("JWKS_URL") or ISSUER + "/.well-known/sallyport-gateway/jwks.json")
rules = jwt.JWTClaimsRegistry(
    leeway=10, iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE},
    **{name: {"essential": True} for name in ("sub", "client_id", "iat", "exp", "jti")},
)
warnings.simplefilter("ignore", SecurityWarning)  # RFC 9864 would rather have Ed25519 than EdDSA as the name


def spelt(value):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def verify(token):
    if len(token) > 8192:
        raise ValueError("too long")
    verified = jwt.decode(token, lambda unverified: keys.find(unverified.headers()["kid"]), algorithms=["EdDSA"])
    claims = verified.claims
    # joserfc reads JSON as generously as Python does, and looks at no typ. The gateway spells both parts in one way: so do we.
    header = {"alg": "EdDSA", "kid": verified.header["kid"], "typ": "sallyport-inner+jwt"}
    if not token.startswith(f"{spelt(header)}.{spelt(claims)}."):
        raise ValueError("not as the gateway spells it")
    rules.validate(claims)
    # joserfc takes an audience among others, any lifetime, and other claims of any type.
    if claims["aud"] != AUDIENCE or claims["exp"] - claims["iat"] not in range(1, 61):
        raise ValueError("for others too, or for too long")
    for name in ("sub", "client_id", "jti"):
        if not isinstance(claims[name], str) or not claims[name]:
            raise ValueError(f"{name} is no text")
    if not isinstance(claims.get("scope", ""), str):
        raise ValueError("scope is no text")
    return claims
