package sallyport

// attacks is the list of what is tried against tokens, keys and key sets, by
// class. Numbers have gaps between the classes and keep their meaning for
// ever: tests, events and pages name them. The page docs/reference/attacks.md
// is made from it.
const attacks = `
A Algorithm and signature
J001 alg none, with an empty signature and with the one from before
J002 alg none in other spellings: case, spaces, escapes, full-width letters, NUL
J003 alg missing, or null, a number, a list, an object, empty, very long
J004 unknown and outdated algorithms
J005 the public key as an HMAC secret, in every encoding that a library might try
J006 alg of the header believed because the key names none
J007 one kind of RSA signature where another is meant
J008 an algorithm that does not fit the kind of key or the curve
J009 a real algorithm with an empty signature
J010 parts of two valid tokens put together
J011 each single bit flipped
J012 forged PKCS #1 v1.5 padding
J013 RSA signatures out of range, too short, too long
J014 PSS with a salt of another length than the hash
J015 PSS with another mask hash, other padding, a changed data block
J016 ECDSA signatures of 0, 1, the group order and beyond
J017 ECDSA in DER, or with numbers of another length
J018 the other valid ECDSA signature of the same token, to pass as a new token
J019 Ed25519 with a small-order key, or S above the group order
J020 RSA keys that are too small, badly made or known to be weak
J021 HMAC keys that are empty, short or to be guessed
J022 a key that comes with the product
J023 a MAC found byte by byte, by the time that comparing takes
J024 an answer that tells which check failed, or what would have passed
J025 a signature that is wrong beside a claim that is wrong
J026 a branch in which nobody verifies
J027 a switch that turns verification off
J028 bytes that were verified differ from bytes that are read

B Key selection and header injection
J030 the attacker's key inside the header
J031 jku that points to the attacker, straight or round corners
J032 x5u, x5c and x5t
J033 kid as a path
J034 kid as a statement for a database, a shell, a template, a log
J035 kid as an address, of the wrong type, huge, empty, a look-alike
J036 kid of a key of another issuer
J037 kid of a key that is retired, not yet in use, or for another purpose
J038 no kid and many keys
J039 a key address made of unverified claims
J040 a key of another tenant
J041 a key set with one kid twice, with private or with symmetric keys
J042 a key set with a broken key or one of unknown kind
J043 a key that has been removed from the set
J044 a key whose alg does not fit the header or the key itself
J045 a point that is not on the curve

C Structure and encoding
J050 too few and too many parts, empty parts, dots at the ends
J051 a million dots
J052 JSON serialization, with several signatures of which one is valid
J053 a text that is JSON and a compact token at once
J054 a detached payload
J055 an unencoded payload: b64 false
J056 crit with unknown, repeated, missing and misplaced names
J057 padding, the other alphabet, percent signs
J058 white space inside a part
J059 trailing bits that decoders ignore
J060 characters that are in no alphabet
J061 text that is not UTF-8, or becomes another text when it is mended
J062 the same member twice
J063 names of members in other case or with letters that fold to them
J064 names of members written with escapes
J065 something after the JSON value, or before it
J066 JSON that is no object, or no JSON
J067 deep nesting, a million members, endless numbers
J068 claims in the header that say something else than the payload
J069 typ missing, of another kind, in other spellings
J070 tokens inside tokens inside tokens
J071 tokens and headers that are too long, split or sent twice
J072 issuer, audience, kid or scope in letters that look the same
J073 a compressed or percent-encoded body with the token twice

D Claims and purpose
J080 exp missing or of another type
J081 exp far beyond all clocks
J082 exp at the very second
J083 nbf and iat ahead, of another type, missing; a life that is too long
J084 iss that is nearly the right one
J085 aud missing, empty, of another type, nearly the right one
J086 aud that names others too
J087 a token of another deployment with the same audience
J088 sub missing, empty, of another type, somebody else's, the name of a client
J089 scope as a list, with other separators, as part of a longer word
J090 client_id missing, so that its check is left out
J091 groups and e-mail claims of another type
J092 a credential of one kind in the place of another
J093 a token of another realm or issuer
J094 a single-use token used twice, also at another node
J095 a token that outlives what it stands on: revoked, disabled, deleted, password changed
J096 a bound token without its proof, or with another key's
J097 a chain of actors that is forged, too long, or taken for the subject
J098 auth_time ahead, acr unknown, amr of another type
J099 authorization_details that differ from the grant
J100 a token from before a change of policy or tier
J101 values of claims that are code for what stands behind
J102 a token for one object used on another

E Encrypted tokens
J110 an encrypted token where a signed one is due, and the reverse
J111 encryption with the public key taken for a signature
J112 RSA with PKCS #1 v1.5 padding
J113 direct and symmetric key wrapping with public or guessable material
J114 ephemeral keys that are on no curve, on another one, or private
J115 compression of any kind, and bombs in it
J116 password-based keys with endless rounds
J117 tags and IVs that are cut, longer or changed
J118 lengths that overflow
J119 an encrypted key that is empty, short or missing
J120 JSON serialization with many recipients
J121 decryption errors that can be told apart
J122 one ciphertext that opens under two keys
J123 the inner token taken on trust

F Exhaustion and abuse of key sets
J130 a flood of unknown key IDs that causes fetches
J131 a flood of unknown key IDs that drives out good keys
J132 a key set that is slow, huge, compressed, redirected, broken, empty
J133 a thousand first requests at once
J134 keys of the attacker that are dear to verify with
J135 a flood that fills the memory of used proofs
J136 a flood that fills caches
J137 a flood that fills the log
J138 a panic while reading what strangers sent
J139 two requests that write one map

G Placement and transport
J140 a token in any place but the one
J141 two tokens
J142 other spellings of the header
J143 a proxy in front that frames requests differently
J144 a token in a redirect, a referrer, a page, a log, a panic
`

// withoutTest says why an attack has no test. It waits for the part of the
// product that it would be tried against.
const withoutTest = `
`
