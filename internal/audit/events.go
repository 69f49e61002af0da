// Package audit names the security events and carries what is known of a
// request to the one place that writes it down. It has no sinks. Start at
// events.go.
package audit

// Name is a security event as noun.verb.
type Name string

// The events. Each has a line in Events.
const (
	LoginSucceeded       Name = "login.succeeded"
	LoginFailed          Name = "login.failed"
	LoginThrottled       Name = "login.throttled"
	SessionEnded         Name = "session.ended"
	SessionsEnded        Name = "sessions.ended"
	ConsentGiven         Name = "consent.given"
	ConsentDenied        Name = "consent.denied"
	ConsentWithdrawn     Name = "consent.withdrawn"
	ClientAuthFailed     Name = "client.auth_failed"
	RequestPushed        Name = "request.pushed"
	RequestObjectRefused Name = "request.object_refused"
	ConstantValue        Name = "request.constant"
	CodeIssued           Name = "code.issued"
	CodeRedeemed         Name = "code.redeemed"
	CodeReplayed         Name = "code.replayed"
	TokenIssued          Name = "token.issued"
	TokenExchanged       Name = "token.exchanged"
	AssertionRefused     Name = "assertion.refused"
	ExchangeRefused      Name = "exchange.refused"
	TokenIntrospected    Name = "token.introspected"
	TokenRevoked         Name = "token.revoked"
	TokenInURL           Name = "token.in_url" //nolint:gosec // a name, not a credential
	RefreshRotated       Name = "refresh.rotated"
	RefreshKept          Name = "refresh.kept"
	RefreshRepeated      Name = "refresh.repeated"
	RefreshReused        Name = "refresh.reused"
	ProofRefused         Name = "proof.refused"
	RequestRefused       Name = "request.refused"
	RouteProbed          Name = "route.probed"
	ObjectRefused        Name = "object.refused"
	ObjectsProbed        Name = "object.probed"
	AnswerReported       Name = "answer.reported"
	AnswerRefused        Name = "answer.refused"
	FeedStale            Name = "feed.stale"
	KeyMade              Name = "key.made"
	KeyActivated         Name = "key.activated"
	KeyCompromised       Name = "key.compromised"
	KeyRewrapped         Name = "key.rewrapped"
	SecretSet            Name = "secret.set"
	SecretRemoved        Name = "secret.removed"
	VaultCompromised     Name = "secret.compromised"
	ConfigApplied        Name = "config.applied"
	ConfigRefused        Name = "config.refused"
	EgressSecretEchoed   Name = "egress.secret_echoed"
	EgressKeyRefused     Name = "egress.key_refused"
	CertificateReceived  Name = "certificate.received"
	CertificateRefused   Name = "certificate.refused"
	CertificateEnding    Name = "certificate.ending"
	LeakReported         Name = "leak.reported"
	LeakFound            Name = "leak.found"
	LeakMasterKey        Name = "leak.master_key"
	SecretCompromised    Name = "client.secret_compromised"
	NoticeSent           Name = "notice.sent"
	NoticeLost           Name = "notice.lost"
	PostSent             Name = "post.sent"
	PostLost             Name = "post.lost"
	ClientRegistered     Name = "client.registered"
	ClientUpdated        Name = "client.updated"
	ClientRemoved        Name = "client.removed"
	ClientFetched        Name = "client.fetched"
	StreamCreated        Name = "stream.created"
	StreamChanged        Name = "stream.changed"
	StreamDeleted        Name = "stream.deleted"
	SignalSent           Name = "signal.sent"
	SignalRefused        Name = "signal.refused"
	SignalsLost          Name = "signal.lost"
)

// Events of passkeys.
const (
	PasskeyRefused   Name = "passkey.refused"
	PasskeyRegressed Name = "passkey.regressed"
)

// Events of requests that are decided elsewhere.
const (
	DeviceAsked     Name = "device.asked"
	DeviceCodeWrong Name = "device.code_wrong"
	CIBAAsked       Name = "ciba.asked"
)

// Events of people's accounts. Their person sees them too.
const (
	AccountNewDevice       Name = "account.new_device"
	AccountSessionMoved    Name = "account.session_moved"
	AccountPasswordOnly    Name = "account.password_only"
	AccountPasswordChanged Name = "account.password_changed"
	AccountFactorAdded     Name = "account.factor_added"
	AccountFactorRemoved   Name = "account.factor_removed"
	AccountCodesMade       Name = "account.recovery_codes_made"
	AccountCodeUsed        Name = "account.recovery_code_used"
	AccountFactorFailed    Name = "account.second_factor_failed"
	AccountAddressAdded    Name = "account.address_added"
	AccountAddressRemoved  Name = "account.address_removed"
	AccountRecoveryStarted Name = "account.recovery_started"
	AccountRecoveryStopped Name = "account.recovery_stopped"
	AccountRecovered       Name = "account.recovered"
	AccountLinked          Name = "account.identity_linked"
	AccountUnlinked        Name = "account.identity_unlinked"
	AccountAppConnected    Name = "account.app_connected"
	AccountAppRemoved      Name = "account.app_removed"
	AccountSessionsEnded   Name = "account.sessions_ended"
	AccountEndedByAdmin    Name = "account.ended_by_administrator"
	AccountExported        Name = "account.exported"
	AccountDeleted         Name = "account.deleted"
	AccountTokenStolen     Name = "account.token_stolen"
	AccountLeak            Name = "account.leak"
	AccountEventLost       Name = "account.event_lost"
	LoginStuffing          Name = "login.stuffing"

	BrowserSignedIn  Name = "browser.signed_in"
	BrowserSignedOut Name = "browser.signed_out"
	BrowserEnded     Name = "browser.ended"
	BrowserRefused   Name = "browser.refused"
)

// Events says what each event means and what an operator should do.
var Events = []struct {
	Name    Name
	Meaning string
	Do      string
}{
	{LoginSucceeded, "a person proved who they are", "nothing"},
	{LoginFailed, "wrong name or password", "look for many from one address"},
	{LoginThrottled, "too many attempts for an account or from an address", "look for an attack on the account"},
	{PasskeyRefused, "a person could not add a passkey; the reason says which rule its answer breaks", "many: an authenticator or browser that is not supported, or somebody who tries"},
	{PasskeyRegressed, "a passkey was right but its signature counter did not go up, so it was refused", "ask the person: the key may have been copied; have them remove the passkey"},
	{SessionEnded, "a person signed out, and the grants of that session ended", "nothing"},
	{SessionsEnded, "a partner had every session and grant of a person ended; reason nobody: there is no such person", "find out why, if you did not expect it"},
	{ConsentGiven, "a person let a client act for them", "nothing"},
	{ConsentDenied, "a person refused a client", "nothing"},
	{ConsentWithdrawn, "a person took back what a client may do for them, and its tokens ended", "nothing"},
	{ClientAuthFailed, "wrong client authentication", "many for one client: its secret is being guessed, or is out of date"},
	{RequestPushed, "a client pushed an authorization request", "nothing"},
	{RequestObjectRefused, "a signed authorization request was not what its client is registered with; reason says what was wrong", "mend the client; jwt_signature: its key may have changed"},
	{ConstantValue, "a client sent the same code_challenge or nonce for the third time: it protects nothing", "mend the client: the value must be new for each request"},
	{CodeIssued, "an authorization code was sent to a client", "nothing"},
	{CodeRedeemed, "a code was exchanged for tokens", "nothing"},
	{CodeReplayed, "a code came a second time, with everything else right; the grant ended", "the client leaks codes, or its user was attacked: find out which"},
	{TokenIssued, "an access token was issued", "nothing"},
	{TokenExchanged, "a client got a token for another API in place of one that it was called with; actor acts for subject", "nothing"},
	{AssertionRefused, "an assertion about a service was refused", "used: it was presented twice; subject: add it to assertion_issuers if it is meant; others: see what its issuer writes"},
	{ExchangeRefused, "a token was presented for exchange that does not count", "not_alive, revoked: often a client that is slow; subject_client, subject_audience, subject_bound, subject_may_act, actor_of_another: a client tries what its policy does not allow"},
	{TokenIntrospected, "a resource server asked about a token", "nothing"},
	{TokenRevoked, "a client ended a token or a grant", "nothing"},
	{TokenInURL, "a token came in a URL, where logs and histories keep it; the request was refused", "mend the client that sends it"},
	{RefreshRotated, "a refresh token was exchanged for the next", "nothing"},
	{RefreshKept, "a refresh token was used and stays: its client proves itself and gets bound tokens, in tier high", "nothing"},
	{RefreshRepeated, "the last refresh token came again while its successor was unused: the answer had been lost", "often: the client has a bad network, or does not store what it gets"},
	{RefreshReused, "an old refresh token came again: it was copied; the grant ended", "tell the person; find the leak"},
	{ProofRefused, "a DPoP proof was wrong, or came a second time", "proof_replayed: somebody copies requests; proof_htu: the client calls another address than the configuration has"},
	{RequestRefused, "a call, a form or a page was refused", "see reason"},
	{RouteProbed, "a call to a path that no API has", "many from one address: somebody is looking for hidden routes"},
	{ObjectRefused, "a call named an object that is not its caller's, or none", "many for one person: an app that is wrong, or somebody who looks for objects of others"},
	{ObjectsProbed, "somebody went through objects of others, and is being slowed", "talk to the person, or end their sessions: the account or the app may be in other hands"},
	{AnswerReported, "an answer of an API is not as its OpenAPI document says, and was passed on; faults has places and rules", "mend the API or the document, then set responses to enforce"},
	{AnswerRefused, "an answer of an API is not as its OpenAPI document says, and the client got 502 instead", "mend the API or the document"},
	{FeedStale, "the node could not follow revocations and refused a call", "look at the database and its connection"},
	{KeyMade, "a key has a successor, or a compromised one was replaced", "nothing, if it was the schedule or you"},
	{KeyActivated, "a pending key makes from now on, sooner than planned", "find out who did it, if not you"},
	{SecretSet, "a secret that is kept for a third-party API has a new value", "find out who did it, if not you"},
	{SecretRemoved, "a secret that was kept for a third-party API was removed", "find out who did it, if not you"},
	{VaultCompromised, "a secret that is kept for a third-party API was declared compromised; no node sends it any more", "revoke it where it came from, then sallyport secret set"},
	{KeyCompromised, "a key was declared compromised; nothing that it made is accepted any more", "find out who did it, if not you; read docs/guide/keys.md"},
	{KeyRewrapped, "the master key was changed: all keys are wrapped by another one", "see that every machine has the new file; destroy copies of the old one"},
	{ConfigApplied, "the server has taken a changed configuration, without a restart; policy is its version", "find out who changed it, if not you"},
	{CertificateReceived, "an authority has given a certificate, or it was found in the store", "nothing"},
	{CertificateRefused, "there is no certificate for a host, because the authority has not given one", "see why in the line; the authority must reach port 443 of the host, or port 80 with challenge_listen"},
	{CertificateEnding, "a certificate ends soon and has not been replaced", "put a new pair into the files, or see why the authority gives none"},
	{EgressSecretEchoed, "a third-party API sent back the key that was put into the call; it was masked, or the answer refused", "tell its owner, and change the key: their logs may hold it"},
	{EgressKeyRefused, "a third-party API refused the key that was put into the call", "see whether the key has ended there, then sallyport secret set"},
	{ConfigRefused, "a changed configuration breaks a rule or cannot be read; the one before stays in force", "run sallyport check, mend what it names"},
	{LeakReported, "a partner reported strings that it had found", "nothing: those that were ours have events of their own"},
	{LeakFound, "a credential of ours was found where others can read it; action says what was done", "look at url; find out how it got there and who used it"},
	{LeakMasterKey, "the master key was found where others can read it", "at once: take the database from the network, change the master key, compromise every key (docs/guide/leaks.md)"},
	{SecretCompromised, "an operator declared the secrets of a client compromised; all ended at once", "give the client its new secret"},
	{ClientRegistered, "a client registered itself", "nothing; many from one network: look at the policy"},
	{ClientUpdated, "a registered client replaced its metadata", "nothing"},
	{ClientRemoved, "a registered client removed itself; all its tokens ended", "nothing"},
	{ClientFetched, "the metadata document of a client was fetched from its client_id", "nothing"},
	{DeviceAsked, "a device asked to act for whoever types its code", "many from one network: somebody collects codes to send to people"},
	{DeviceCodeWrong, "somebody typed a code with which no device waits", "many: codes are being guessed"},
	{CIBAAsked, "a client asked for the consent of a person who is somewhere else", "nothing; reason nobody: the client named nobody whom we know"},
	{NoticeSent, "somebody was told of a leak", "nothing"},
	{NoticeLost, "somebody could not be told of a leak", "tell them; look at mail and leaks in the configuration"},
	{PostSent, "a client's server took a message, such as that a session has ended", "nothing"},
	{PostLost, "a client's server refused a message, or did not answer until it was given up", "tell those who run the client; look at the address it is registered with"},
	{StreamCreated, "a receiver of signals made its stream", "nothing"},
	{StreamChanged, "a receiver changed its stream or the status of it", "nothing"},
	{StreamDeleted, "a receiver deleted its stream; it hears of nothing any more", "nothing, if it was meant"},
	{SignalSent, "a receiver has taken an event", "nothing"},
	{SignalRefused, "a receiver refused an event for good", "look at refusal: the receiver and this server disagree on keys, issuer or audience"},
	{SignalsLost, "events had waited for too long, or too many did; the stream is paused and its receiver told", "find out why the receiver did not take them"},
	{AccountNewDevice, "a person signed in from a browser that was not known for them", "nothing; the person was told"},
	{AccountSessionMoved, "the cookie of a session came from another kind of device; whoever sent it must sign in again", "many: somebody steals cookies, by malware or through an app's logs"},
	{AccountPasswordOnly, "a person signed in with a password alone from a new browser while passwords were being tried in bulk, and had nothing else to prove", "ask your people to set up a passkey and to confirm an address"},
	{AccountPasswordChanged, "the password of a person was changed; all other sessions ended", "nothing; the person was told"},
	{AccountFactorAdded, "a person added a passkey or an authenticator", "nothing; the person was told"},
	{AccountFactorRemoved, "a passkey or an authenticator of a person was removed", "nothing; the person was told"},
	{AccountCodesMade, "a person made new recovery codes; the old ones ended", "nothing; the person was told"},
	{AccountCodeUsed, "a person signed in with a recovery code", "nothing; the person was told"},
	{AccountFactorFailed, "a right password was followed by wrong codes", "the password may be known to somebody else; the person was told"},
	{AccountAddressAdded, "a person added an address", "nothing; the person was told"},
	{AccountAddressRemoved, "an address of a person was removed", "nothing; the person was told at all addresses"},
	{AccountRecoveryStarted, "somebody began to recover an account", "nothing; the person was told"},
	{AccountRecoveryStopped, "a person has stopped the recovery of their account, which somebody else had begun", "somebody may read the person's mail: talk to them"},
	{AccountRecovered, "an account was recovered", "nothing; the person was told at all addresses"},
	{AccountLinked, "a person linked a sign-in at another provider", "nothing; the person was told"},
	{AccountUnlinked, "a sign-in at another provider was unlinked", "nothing; the person was told"},
	{AccountAppConnected, "a person let an app in for the first time", "nothing"},
	{AccountAppRemoved, "a person ended what an app may do", "nothing"},
	{AccountSessionsEnded, "a person ended sessions", "nothing"},
	{AccountEndedByAdmin, "an administrator or a partner ended the sessions of a person", "nothing, if it was you"},
	{AccountDeleted, "a person deleted the account", "nothing"},
	{AccountExported, "a person exported the data of the account", "nothing; the person was told"},
	{AccountTokenStolen, "a refresh token of a person was used twice, so the grant ended and the person was told", "find out where the app keeps its tokens, or who copied one"},
	{AccountLeak, "something of a person's was found where others can read it", "see leak.found"},
	{AccountEventLost, "an event of a person could not be kept or told; reason is its kind", "look at the database and the outbox"},
	{BrowserSignedIn, "a browser has a session with a browser app; its tokens stay here", "nothing"},
	{BrowserSignedOut, "a person signed out in a browser app; the session at the issuer ended too", "nothing"},
	{BrowserEnded, "the session of a browser app ended because its tokens were revoked or could not be renewed", "nothing; many at once: look at what was revoked"},
	{BrowserRefused, "a request to a browser app was refused; the reason says why", "csrf_site, csrf_origin: another site tries to act for people who are signed in; sign_in_other_browser: somebody was sent the end of another person's sign-in"},
	{LoginStuffing, "passwords are being tried in bulk; while it lasts, a password alone from an unknown browser is not enough; reason says what gave it away", "network, address: block it before this server; password, failures: it comes from many places: see docs/guide/people.md, Abuse"},
}

// Event is one occurrence. Subject is an account ID or "client:" and a
// client_id. Reason is one of a fixed set of words, never free text.
type Event struct {
	Name    Name
	Client  string
	Subject string
	Grant   string
	Actor   string // who acts for Subject, in the same form
	Reason  string
}
