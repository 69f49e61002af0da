package sallyport

// standards is what the standards ask of an authorization server and of its
// gateway, by subject: an id, what must hold, and where that stands. The ids keep
// their meaning for ever: tests name them. The page docs/reference/standards.md is
// made from it.
const standards = `
AZ Authorization endpoint and consent
AZ01 Redirect URI compared by exact string with a registered one | OAuth 2.1 §2.3.1, 4.1.1; RFC 9700 §2.1, 4.1.3; ASVS 10.4.1
AZ02 Only the port may vary, only for 'http' loopback IP literals | OAuth 2.1 §8.4.2; RFC 8252 §7.3
AZ03 No redirect when client_id or redirect URI is missing or invalid; show an error page | OAuth 2.1 §2.3.5, 4.1.2.1, 7.13.2
AZ04 Only 'response_type=code'; token and hybrid types refused | RFC 9700 §2.1.2; RFC 10017 §7.2; FAPI 2.0 Security Profile §5.3.2.2-1; ASVS 10.4.4, 10.6.1
AZ05 'code_challenge' with S256 required for every client | OAuth 2.1 §4.1.1, 7.5.1; FAPI 2.0 Security Profile §5.3.2.2-5; ASVS 10.4.6
AZ06 Challenge and method bound to the code; code response reveals neither | OAuth 2.1 §4.1.2; RFC 9700 §4.8.2
AZ07 Repeated parameters refused; empty parameters treated as absent; unknown ignored | OAuth 2.1 §3.1
AZ08 GET supported, POST supported for OIDC | OAuth 2.1 §3.1; OpenID Connect Core §3.1.2.1
AZ09 No CORS at the authorization endpoint | OAuth 2.1 §3.1; RFC 9700 §2.6
AZ10 'iss' in every authorization response, success and error; advertised | RFC 9207 §2, 2.3, 3; FAPI 2.0 Security Profile §5.3.2.2-7
AZ11 Code: single use, at most 60 s, bound to client, redirect URI, challenge, DPoP key if given | OAuth 2.1 §4.1.2, 4.1.3; FAPI 2.0 Security Profile §5.3.2.1-11, 5.3.2.2-9; ASVS 10.4.2, 10.4.3
AZ12 Framing refused on every interactive page | OAuth 2.1 §7.11; RFC 9700 §4.16
AZ13 Never 307 (nor 308) where credentials may be in the request; use 303 | OAuth 2.1 §7.5.3; RFC 9700 §4.12; FAPI 2.0 Security Profile §5.3.2.2-10/11
AZ14 'state' returned unchanged; treated as hostile text everywhere | OAuth 2.1 §4.1.2, 7.12
AZ15 Pages after login carry no third-party content; 'Referrer-Policy: no-referrer' | RFC 9700 §4.2.4
AZ16 Consent shown when the client cannot be authenticated, even if granted before | OAuth 2.1 §7.3, 7.3.1; RFC 10017 §6.3.3.2; ASVS 10.7.1
AZ17 Consent names app, developer, scopes in words, resource, lifetime, verified or not | OAuth 2.1 §7.9; ASVS 10.7.2; FAPI 2.0 Security Profile §5.3.2.2-13
AZ18 User can see, change and withdraw consent | ASVS 10.7.3; OAuth 2.1 §7.9
AZ19 'prompt=none' never shows UI; 'login' always re-authenticates; 'max_age' enforced | OpenID Connect Core §3.1.2.1, 3.1.2.3
AZ20 'acr_values'/essential 'acr' honoured or refused | OpenID Connect Core §5.5.1.1; RFC 9470 §4, 5
AZ21 Scopes limited per client; client identity affects grant; scope change reported | OAuth 2.1 §1.4.1, 7.3.2; ASVS 10.4.11
AZ22 AS authenticates the user first before any error or success redirect to a less-trusted URI | OAuth 2.1 §7.13.2; RFC 9700 §4.11.2
AZ23 CSRF protection on login, consent, device-code and logout forms; login CSRF included | OpenID Connect Core §3.1.2.3; RFC 6819
AZ24 Pending authorization state is bounded per IP and in total, with expiry | CVE-2026-67437, -55512 class
AZ25 MFA cannot be skipped by any other login path (social, device, API, recovery) | ASVS 6.1.3, 6.3.4; CVE-2026-32246, -34727 class
AZ26 WebView user agents refused by policy | RFC 8252 §8.12; OAuth 2.1 §8.5.1
AZ27 Browser message responses, if ever offered, use exact target origin | RFC 9700 §4.17.2
AZ28 Constant challenge or nonce from one client is detected | RFC 9700 §2.1.1
PR Pushed requests, request objects, rich requests, resource indicators
PR01 PAR accepts POST form, authenticates the client exactly as the token endpoint | RFC 9126 §2, 2.1; FAPI 2.0 Security Profile §5.3.2.2-2, -4; ASVS 10.4.10
PR02 'request_uri' parameter inside a PAR is refused | RFC 9126 §2.1
PR03 'request_uri' unguessable, bound to the client, short-lived, single use | RFC 9126 §2.2, 4, 7.1, 7.3, 7.5
PR04 Authorize with PAR takes only client_id and request_uri; the rest ignored or refused | RFC 9126 §4; RFC 9101 §5
PR05 'require_pushed_authorization_requests' per server and per client enforced | RFC 9126 §5, 6; FAPI 2.0 Security Profile §5.3.2.2-3
PR06 Full validation at push time (redirect, scope, PKCE, RAR) and again at use | RFC 9126 §2.1, 7.4
PR07 Oversize 413, rate 429 | RFC 9126 §2.3
PR08 Request object signed with a registered key and expected alg; 'none' refused | RFC 9101 §4, 6.2, 10.1; FAPI 2.0 Message Signing
PR09 Only parameters inside the object are used; client_id inside equals outside | RFC 9101 §5, 6.3
PR10 Object 'aud' = issuer, 'iss' = client_id; 'sub' not equal client_id; typ 'oauth-authz-req+jwt' accepted | RFC 9101 §4, 10.8
PR11 'request_uri' by reference to foreign URLs not fetched unless pre-registered, with SSRF guard | RFC 9101 §5.2, 10.4; OpenID Connect Core §6.2
PR12 'authorization_details' validated by type schema; unknown type or field refused | RFC 9396 §2, 5
PR13 Granted details returned in token response, introspection and JWT; request cannot widen | RFC 9396 §6, 7, 9.1, 9.2; ASVS 10.4.15
PR14 'resource': absolute URI, no fragment, known; else 'invalid_target' | RFC 8707 §2
PR15 Token audience narrowed to the requested resource; refresh may narrow only | RFC 8707 §2.2; RFC 9700 §2.3
TK Token endpoint
TK01 POST form only; parameters from the body only | OAuth 2.1 §3.2, 2.4.1
TK02 Repeated parameter is an error | OAuth 2.1 §3.2
TK03 Confidential clients authenticate; more than one method per request refused | OAuth 2.1 §2.4, 3.2.1
TK04 'code_verifier' 43 to 128 unreserved chars, compared in constant time with S256 | RFC 7636 §4.1, 4.6
TK05 Verifier sent when no challenge existed, or absent when one did: refuse | RFC 9700 §4.8.2; OAuth 2.1 §4.1.3
TK06 Code bound to client: all of client, redirect, challenge must match | OAuth 2.1 §4.1.3
TK07 Valid replay of a used code is refused and revokes what it minted; invalid replay does not revoke | OAuth 2.1 §7.5.2; ASVS 10.4.2
TK08 Two simultaneous redemptions: exactly one wins | OAuth 2.1 §4.1.3
TK09 If 'redirect_uri' is sent at token time it must match the request | OAuth 2.1 §10.2
TK10 Response 'no-store', JSON, 'token_type', 'expires_in', 'scope' when changed | OAuth 2.1 §3.2.3; OpenID Connect Core §3.1.3.3
TK11 Error codes as specified; 401 + 'WWW-Authenticate' when Authorization header was used | OAuth 2.1 §3.2.4
TK12 Refresh bound to client, scope, resource, device key | OAuth 2.1 §4.3, 4.3.1; RFC 9700 §4.14.2; RFC 9449 §5; Attestation-based client authentication §9.3
TK13 Public client: rotation or sender-constraint; reuse of an old one revokes the family | RFC 9700 §4.14.2; OAuth 2.1 §4.3.1; ASVS 10.4.5
TK14 Rotated refresh never outlives the first one's absolute end | RFC 10017 §6.3.2.3; ASVS 10.4.8
TK15 Idle refresh expires | OAuth 2.1 §4.3.3
TK16 Refresh re-checks: user active, grant alive, client active, consent alive, group rules | CVE-2026-43983, CVE-2025-64521 class
TK17 Refresh scope may narrow, new refresh keeps original scope | OAuth 2.1 §4.3.3
TK18 client_credentials for confidential clients only; never a refresh token; 'sub' cannot collide with a user | OAuth 2.1 §4.2, 7.4; RFC 9700 §4.15
TK19 Password and implicit grants absent from code, config and metadata | RFC 9700 §2.4; RFC 10017 §7.3
TK20 Grants per client allowlist | ASVS 10.4.4
TK21 Device grant: 'authorization_pending', 'slow_down' (+5 s), 'expired_token', 'access_denied' | RFC 8628 §3.5
TK22 user_code: limited alphabet, rate-limited, short-lived; device_code 256 bit | RFC 8628 §5.1, 5.2, 6.1
TK23 Device page warns about remote phishing, shows client, location; no pre-approved 'verification_uri_complete' | RFC 8628 §5.4, 3.3.1
TK24 Token exchange: client authenticated, subject token validated fully and still active | RFC 8693 §2.1, 5
TK25 Exchange cannot widen scope, audience or life; 'may_act' respected; chain depth capped | RFC 8693 §4.1, 4.4
TK26 'issued_token_type' returned; unsupported requested type 'invalid_request' | RFC 8693 §2.2.1, 2.2.2
TK27 Access token strings: 256-bit random, prefix + checksum, stored only as hash | OAuth 2.1 §1.4.2, 7.7; FAPI 2.0 Security Profile §5.4.1-4; ASVS 7.2.3, 11.5.1
TK28 AS does not become oracle: same timing and text for unknown, expired, revoked code | ASVS 6.3.8, 16.5.1
TK29 Store failure during issue or revoke is an error to the caller, never a silent success | CVE-2020-15223
TK30 Credentials never mix between concurrent requests | CVE-2026-33544 class
CL Clients, registration, client authentication, attestation
CL01 Client type recorded and immutable; one type per client_id | OAuth 2.1 §2.1, 8.1.1
CL02 Native and browser clients never get or prove identity by shared secret | OAuth 2.1 §8.1; RFC 10017 §6.3.3.1
CL03 Redirect URI rules by type: https; custom scheme must contain a dot (reverse domain); loopback http; no wildcard, fragment, 'javascript:' or 'data:' | OAuth 2.1 §2.3, 2.3.1, 8.4.3; RFC 9700 §2.6
CL04 private_key_jwt: iss=sub=client_id, aud = issuer as a single string, exp short, jti unique, asymmetric alg | RFC 10070 §4; FAPI 2.0 Security Profile §5.3.2.1-8; RFC 7523 §3; OpenID Connect Core §9
CL05 typ 'client-authentication+jwt' accepted, absence tolerated, other typ refused | RFC 10070 §4
CL06 client_secret: at least 256-bit, hashed at rest, throttled | OAuth 2.1 §2.4.1, 7.7
CL07 Basic auth: client_id and secret form-urlencoded before Basic | RFC 6749 §2.3.1
CL08 Secret in URL refused and reported as leaked | OAuth 2.1 §2.4.1; ASVS 14.2.1
CL09 tls_client_auth: chain valid, subject or SAN exactly as registered, one attribute only | RFC 8705 §2.1
CL10 self_signed_tls_client_auth: certificate equals one in client JWKS | RFC 8705 §2.2
CL11 Forwarded client certificate header accepted only from the trusted terminator and stripped otherwise | RFC 8705 §6.5; RFC 9700 §4.13
CL12 Dynamic registration protected: initial access token or software statement; open registration off by default | RFC 7591 §3, 5; ASVS 10.4.7
CL13 Metadata validated; bad redirect 'invalid_redirect_uri'; other 'invalid_client_metadata'; unknown ignored | RFC 7591 §3.2.2
CL14 Software statement: signature, issuer trusted, claims win over plain values | RFC 7591 §2.3, 3.1.1
CL15 All client URLs fetched through SSRF guard; logo never hot-linked | RFC 7591 §5; RFC 8725bis §3.10
CL16 Registration access token: per client, hashed, rotated on update; other client's token 401 without existence leak | RFC 7592 §2, 3, 5
CL17 Update is a full replace, cannot change client_id or own secret value | RFC 7592 §2.2
CL18 Delete kills tokens and grants | RFC 7592 §2.3
CL19 'client_secret_expires_at' honoured | RFC 7591 §3.2.1
CL20 Client JWKS with duplicate kid, private members, mixed symmetric/asymmetric, weak keys refused | FAPI 2.0 Security Profile §5.4.2-3; Wycheproof key tests 1, 4, 7, 8
CL21 Attestation JWT: typ 'oauth-client-attestation+jwt', trusted attester key, sub=client_id, exp, cnf.jwk, alg allowed | Attestation-based client authentication §4, 7.1
CL22 Attestation PoP: typ 'oauth-client-attestation-pop+jwt', aud = issuer, jti, iat fresh, signed by cnf key, exactly one header each | Attestation-based client authentication §5.1, 7.2
CL23 Challenge: endpoint advertised, 'no-store', single use; missing or stale gives 'use_attestation_challenge' with header | Attestation-based client authentication §6, 7.4
CL24 Combined mode: DPoP key equals cnf key, no PoP header | Attestation-based client authentication §5.2, 7.3
CL25 Refresh bound to client instance key; new attestation with same key needed | Attestation-based client authentication §9.3
CL26 client_id in form equals attestation sub | Attestation-based client authentication §7.5
CL27 Metadata lists attest methods and algs | Attestation-based client authentication §8
CL28 Device attestation evidence (Play Integrity, App Attest, or software attester for tests) verified server-side: nonce, package, digest, freshness | MASVS-RESILIENCE-1/2
CL29 Multi-AS client: separate redirect URI or 'iss' check; context id in redirect for multi-tenant connectors | RFC 9700 §4.4.2; security-topics-update §2.2
CL30 A flow started by user X must be finished by user X | security-topics-update §2.3
CL31 Client disable takes effect at once for codes, tokens, refresh, PAR | ASVS 7.4.2
PP Proof of possession
PP01 Exactly one DPoP header, one well-formed compact JWT | RFC 9449 §4.3(1,2)
PP02 typ exactly 'dpop+jwt' | RFC 9449 §4.3(4), 11.5
PP03 Asymmetric allowed alg only | RFC 9449 §4.3(5), 11.6
PP04 jwk is public, valid, strong; signature by it | RFC 9449 §4.3(6,7)
PP05 Required jti, htm, htu, iat | RFC 9449 §4.2, 4.3(3)
PP06 htm equals method, case-sensitive | RFC 9449 §4.3(8)
PP07 htu equals external URL without query and fragment, after normalisation | RFC 9449 §4.3(9)
PP08 iat or nonce window; future up to 10 s | RFC 9449 §4.3(11), 11.1
PP09 jti single use per key and htu in the window; bounded store that fails closed | RFC 9449 §11.1
PP10 At GW 'ath' = SHA-256 of the presented token | RFC 9449 §4.2, 4.3(12), 7
PP11 Token's 'cnf.jkt' equals proof key thumbprint (RFC 7638, required members only) | RFC 9449 §6, 7.1
PP12 DPoP-bound token sent as Bearer refused; Bearer token sent as DPoP refused | RFC 9449 §7.1, 7.2
PP13 Nonce: once issued, proofs without or with stale nonce get 'use_dpop_nonce' + one 'DPoP-Nonce' | RFC 9449 §8, 8.2, 9, 11.3
PP14 token_type 'DPoP' returned; introspection returns cnf and DPoP | RFC 9449 §5, 6.2
PP15 'dpop_jkt' or DPoP at PAR binds the code; mismatch refused; both must agree | RFC 9449 §10, 10.1; FAPI 2.0 Security Profile §5.3.2.1-12
PP16 'dpop_bound_access_tokens' client must send DPoP | RFC 9449 §5.2
PP17 Public client's refresh bound to the key | RFC 9449 §5
PP18 'Proxy-Authorization: DPoP' not honoured | RFC 9449 §7.1
PP19 Challenge header lists algs; no error attributes when no credential was sent | RFC 9449 §7.1, 7.2
PP20 mTLS-bound token: 'cnf.x5t#S256' equals certificate of this TLS connection | RFC 8705 §3, 3.1
PP21 'mtls_endpoint_aliases' used so browsers are not prompted | RFC 8705 §5
PP22 GW supports at least one PoP at Tier H and verifies it for every request, WebSocket upgrade included | FAPI 2.0 Security Profile §5.3.4; ASVS 10.3.5, 10.4.14
PP23 OIDF DPoP negative list reproduced as unit tests (32 blocks in the suite, two or three of them positive) | OIDF conformance suite
IN Introspection
IN01 Caller authenticated; POST form; token only in body | RFC 7662 §2.1, 4
IN02 Inactive answer is '{"active":false}' and nothing else | RFC 7662 §2.2
IN03 All state checks made: expiry, nbf, revoked, issuer, signature, client and user enabled | RFC 7662 §4
IN04 A resource server sees only tokens meant for it, only its scopes | RFC 7662 §4, 2.2; ASVS 10.3.1
IN05 Response has iss, sub, aud, client_id, scope, exp, iat, cnf, acr, auth_time, authorization_details where relevant | RFC 7662 §2.2; RFC 9470 §6.2; RFC 9396 §9.2; RFC 9449 §6.2
IN06 JWT response on 'Accept: application/token-introspection+jwt': typ 'token-introspection+jwt', aud = RS, 'token_introspection' member; no top-level sub/exp confusion | RFC 9701 §4, 5, 8.1
IN07 Encrypted response when RS asks | RFC 9701 §5
IN08 Cache no longer than min(exp, tier revocation limit); cache key includes RS, token hash, tenant | RFC 7662 §4; GHSA-qvp4-rpmr-xwrr class
IN09 Refresh tokens never active at introspection for a resource server | RFC 7662 §4
IN10 Guess throttling per caller, alarm on scan pattern | RFC 7662 §4 token scanning
IN11 'no-store' on answers | RFC 7662 §2.2 example, ASVS 14.3.2
RV Revocation, logout, signals
RV01 POST form, client authenticated (public: client_id), only own tokens | RFC 7009 §2, 2.1
RV02 200 for unknown or already dead token | RFC 7009 §2.2
RV03 Refresh revoked: its access tokens die too; access revoked: grant may live by policy | RFC 7009 §2.1
RV04 Wrong 'token_type_hint' still finds the token; unsupported type 'unsupported_token_type' | RFC 7009 §2.1, 2.2.1
RV05 Storage failure gives 503, not 200 | RFC 7009 §2.2.1; CVE-2020-15223
RV06 JSONP-style GET absent | RFC 7009 §2.3
RV07 GW honours revocation for opaque and for JWT mode (deny list by jti/grant/user time) | ASVS 7.4.1; RFC 7009 §3
RV08 Disable or delete user, or change of factor, ends sessions and grants | ASVS 7.4.2, 7.4.3; CVE-2025-53942 class
RV09 Admin ends one user's or everyone's sessions | ASVS 7.4.5
RV10 User sees and ends own sessions after re-authentication | ASVS 7.5.2, 10.4.9
RV11 RP-initiated logout: GET and POST; id_token_hint issuer checked even if expired; confirm when no or foreign hint | RP-Initiated Logout §2; ASVS 10.6.2
RV12 post_logout_redirect_uri exact match; no redirect on any error | RP-Initiated Logout §3, 4
RV13 Back-channel logout token: typ 'logout+jwt', iss, aud, iat, exp (2 min), jti, events member, sub or sid, no nonce | Back-Channel Logout §2.4; ASVS 10.5.5
RV14 RP answers 200 or 400, 'no-store'; OP retries with back-off, bounded | Back-Channel Logout §2.5, 2.8
RV15 Global revocation: POST JSON with 'sub_id', authenticated with its own narrow scope; kills all refresh, offline included; user must re-authenticate | Global Token Revocation §3.1 to 3.3, 6.1
RV16 SET: typ 'secevent+jwt', 'sub_id' not 'sub', no 'exp', one event, txn, aud exact, iss = stream | SSF 1.0 §4.1.1 to 4.1.9, 4.2.1
RV17 CAEP 'session-revoked' and 'credential-change' sent and acted on, 'reason_admin' set | CAEP 1.0 §3.1, 3.3; CAEP interoperability §3
RV18 'device-compliance-change', 'assurance-level-change', 'risk-level-change' mapped to tier actions | CAEP 1.0 §3.4, 3.5, 3.8
RV19 Stream API: create, read, status, verify; verification state echoed; push authorisation header used; poll acks | SSF 1.0 §8.1; CAEP interoperability §2.3
RV20 RS256 with at least 2048-bit for SETs, on a key used for nothing else | CAEP interoperability §2.6; RFC 8725bis §3.1
RV21 Revocation is idempotent, ordered and survives restart; late replicas never resurrect | hardening
RV22 Logout clears BFF cookie with same attributes, 'Clear-Site-Data', server session deleted (not only cookie) | ASVS 14.3.1; CVE-2026-34454, CVE-2025-53826 class
MD Metadata, key sets, protected resources
MD01 '/.well-known/oauth-authorization-server' and '/openid-configuration' with issuer byte-identical to configuration; path-issuer rules right for each | RFC 8414 §3, 3.1, 3.3; OpenID Connect Discovery §4
MD02 Metadata tells the truth: every listed method works, every unlisted one fails | RFC 8414 §2
MD03 Clients reject metadata whose issuer differs | RFC 8414 §3.3, 6.2; ASVS 10.5.3
MD04 JWKS: public only, unique kid, use/alg set, content type, cacheable with bounded age | RFC 7517; FAPI 2.0 Security Profile §5.4.2
MD05 Rotation: new key published before use (at least cache age), old kept until last token dies | OpenID Connect Core §10.1.1
MD06 Verifier refreshes on unknown kid: single-flight, cooldown, negative cache, old keys kept on fetch failure but removed keys dropped | OpenID Connect Core §10.1.1; CVE-2025-22149
MD07 JWKS cache keyed by issuer and kid | CVE-2026-49998
MD08 jwks_uri fetch: https, no redirect to other host, size and time limit, SSRF guard | RFC 8725bis §3.10; CVE-2026-49478, -41413
MD09 Protected-resource metadata at the right well-known path; 'resource' identical to the URL used; 'WWW-Authenticate: resource_metadata' | RFC 9728 §3, 3.3, 5.1
MD10 signed_metadata verified if used; not nested | RFC 9728 §2.2; RFC 8414 §2.1
MD11 CORS on metadata, jwks, token for registered browser origins only; never authorize | RFC 9700 §2.6
ID OpenID Connect
ID01 ID token: iss, sub, aud, exp, iat; nonce echoed; auth_time when max_age; at_hash rules | OpenID Connect Core §2, 3.1.3.6
ID02 sub stable, never reused, at most 255 ASCII, pairwise option | OpenID Connect Core §2, 5.7, 8.1
ID03 RP validation: iss exact, aud has client_id and no untrusted extra, azp, alg expected, signature, exp, iat, nonce, acr, auth_time | OpenID Connect Core §3.1.3.7; ASVS 10.5.1, 10.5.4
ID04 at_hash checked when present | OpenID Connect Core §3.1.3.8
ID05 userinfo: Bearer/DPoP, needs openid scope, sub equals ID token sub | OpenID Connect Core §5.3, 5.3.2, 5.3.4
ID06 Claims by scope and 'claims' parameter; sensitive ones not in ID token by default | OpenID Connect Core §5.4, 5.5; RFC 10017
ID07 Authorization code flow only; hybrid and implicit absent | ASVS 10.6.1
ID08 Third-party initiated login guarded (https, known iss, no silent session) | OpenID Connect Core §4; ASVS 7.6.2
ID09 Upstream federation: user key = IdP id + sub; no auto-link on unverified e-mail; alg, aud, iss per IdP; disabled users stay disabled | ASVS 6.8.1, 6.8.2, 6.8.4; CVE-2026-35511, -44166 class
ID10 Conformance: OIDF Basic, Config, Form Post, RP-Initiated and Back-Channel logout, FAPI2 SP, SSF module names used as test names | OIDF conformance suite
ID11 Access token never treated as sign-in; presence of token is not presence of user | OpenID Connect Core; NIST SP 800-63B §5.1.2
ID12 Session state at RP ends per policy when OP session ends | ASVS 7.6.1
`

// notMet are requirements of the list that no test holds, with the reason.
const notMet = `
CL28 the protocol is held by CL21 to CL27; verifiers of Play Integrity and App Attest do not exist yet
CL29 in part: each response names its issuer; clients of ours that compare it come with the SDKs
CL30 in part: held in the example of a server; only a client can see who has started a flow
RV17 in part: signals are sent, and not received yet
RV18 is for receivers of signals, which this is not yet
RV22 in part: held for the cookie of the issuer; the gateway has no sessions of browsers yet
MD10 nothing here publishes signed metadata or reads that of others
`
