"""PyJWT as its documentation shows it: told issuer, audience and algorithm."""
import json, os, sys

import jwt

for line in sys.stdin:
    given = json.loads(line)
    try:
        keys = jwt.PyJWKSet.from_json(given["jwks"])
        key = keys[jwt.get_unverified_header(given["token"]).get("kid")]
        jwt.decode(given["token"], key, algorithms=["EdDSA"], issuer=os.environ["ISSUER"], audience=os.environ["AUDIENCE"])
        print("taken", flush=True)
    except (jwt.PyJWTError, KeyError):  # KeyError: PyJWKSet has no such kid
        print("refused", flush=True)
    except Exception as error:
        print("crashed", type(error).__name__, flush=True)
