"""joserfc as its documentation shows it: told issuer, audience and algorithm."""
import json, os, sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

rules = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": os.environ["ISSUER"]}, aud={"essential": True, "value": os.environ["AUDIENCE"]}, exp={"essential": True}
)
for line in sys.stdin:
    given = json.loads(line)
    try:
        token = jwt.decode(given["token"], KeySet.import_key_set(json.loads(given["jwks"])), algorithms=["EdDSA"])
        rules.validate(token.claims)
        print("taken", flush=True)
    except JoseError:
        print("refused", flush=True)
    except Exception as error:
        print("crashed", type(error).__name__, flush=True)
