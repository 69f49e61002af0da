package token

import "time"

// Policy is how long keys of a purpose live. Lead, Keep and Publish are counted
// so that nothing valid is ever refused because of a rotation (MD05): a key is
// known everywhere before it makes, and accepted for as long as anything that
// it made can be alive.
type Policy struct {
	Purpose   Purpose
	Algorithm Algorithm     // of new keys
	Group     string        // name of the setting that changes Rotate: keys.signing and so on
	Rotate    time.Duration // a key makes for so long; 0: for ever, because what it makes must not change
	Lead      time.Duration // and is known for so long before
	Keep      time.Duration // it is accepted for so long after its successor is active
	Publish   time.Duration // and is in the key set for so long; 0 for keys that are not public
	// Lazy keys are not made at the start, because that takes long: a Keeper that
	// wants them makes them, or the first who needs one waits for it.
	Lazy bool
	Loss string // what ends if a key is compromised, in words for people
}

const (
	clockSkew   = 5 * time.Minute // between nodes, and between us and those who verify
	jwksMaxAge  = 5 * time.Minute // how long others may keep a key set (Cache-Control)
	publicLead  = jwksMaxAge + 2*clockSkew
	privateLead = time.Minute // nodes follow the feed, and read all keys anew every half a minute
)

// Policies has one line for each purpose.
//
// A refresh token of 90 days may be repeated while its successor is unused,
// for 90 more. Sign-ins last 30 days, and so long an ID token may come back as
// a hint; others verify it for five minutes only.
var Policies = []Policy{
	{
		SealAccess, XAES256GCM, GroupSealing, day, privateLead, MaxAccessLifetime + 2*clockSkew, 0, false,
		"every access token is refused now; apps get new ones with their refresh tokens, service clients with their secrets, and nobody has to sign in again",
	},
	{
		SealFlow, XAES256GCM, GroupSealing, day, privateLead, time.Hour, 0, false,
		"sign-ins that are under way right now fail, and grants end that were made since the key became active, a day ago at most: with the key, codes could be made for anybody; those people sign in again",
	},
	{
		MACRefresh, HS256, GroupRefresh, 90 * day, privateLead, 2*90*day + day, 0, false,
		"every refresh token is refused now: apps go on until their access tokens expire (an hour at most), then every person signs in again, in every app; " +
			"the grants remain in the database, unused, until they expire",
	},
	{
		MACForm, HS256, GroupSealing, day, privateLead, 12 * time.Hour, 0, false,
		"pages that are open in a browser right now are refused once, and people load them again",
	},
	{
		MACNonce, HS256, GroupSealing, day, privateLead, time.Hour, 0, false,
		"each DPoP client is told to use a new nonce, once, and repeats its request by itself",
	},
	{
		MACPairwise, HS256, "", 0, privateLead, 100 * 365 * day, 0, false,
		"every client with pairwise subjects sees nothing but strangers from now on: people keep their accounts here, and those clients must link theirs anew; " +
			"who has the key can tell which accounts of different clients are one person",
	},
	{
		MACPassword, HS256, "", 0, privateLead, 100 * 365 * day, 0, false,
		"no password that was hashed with the key fits any more: those people sign in by a passkey or set a new password through recovery; " +
			"a key that has leaked without the password hashes does no harm by itself, and can stay",
	},
	{
		SignIDToken, ES256, GroupSigning, 30 * day, publicLead, 35 * day, time.Hour, false,
		"ID tokens are no longer accepted as hints, so signing out asks for confirmation; apps that keep the key set may trust forged ID tokens " +
			"until they read it again, which is five minutes at most for those that heed max-age",
	},
	{
		SignAccess, ES256, GroupSigning, 30 * day, publicLead, MaxAccessLifetime + 2*clockSkew, MaxAccessLifetime + 2*clockSkew, false,
		"JWT access tokens are refused here now, and by resource servers of their own once they read the key set again, which is five minutes at most for those that heed max-age",
	},
	{
		SignInner, EdDSA, GroupSigning, 30 * day, publicLead, time.Hour, time.Hour, false,
		"the gateway signs with the new key at once; backends refuse the old one once they read the key set again, which is five minutes at most for those that heed max-age: " +
			"restart them to be sure",
	},
	{
		SignIDTokenRSA, RS256, GroupSigning, 30 * day, publicLead, 35 * day, time.Hour, true,
		"as for the ID tokens of all other apps: they are no longer accepted as hints, and apps that keep the key set may trust forged ones " +
			"until they read it again, which is five minutes at most for those that heed max-age",
	},
	{
		SealStored, XAES256GCM, "", 0, privateLead, 100 * 365 * day, 0, true,
		"the authorization headers that receivers of signals have set can no longer be read: each must set its header again, and until then its events wait",
	},
	{
		SealSecret, XAES256GCM, "", 0, privateLead, 100 * 365 * day, 0, true,
		"the secrets that are kept for other APIs and were set while the key made can no longer be read: calls that need one are refused until it is set again " +
			"with sallyport secret set; change it where it came from as well",
	},
	{
		SealBrowser, XAES256GCM, GroupSealing, day, privateLead, 31 * day, 0, true,
		"everybody is signed out of browser apps, and signs in again; the grants behind them remain in the database, unused, until they expire",
	},
	{
		SignSET, RS256, GroupSigning, 30 * day, publicLead, EventLifetime + time.Hour, EventLifetime + time.Hour, true,
		"receivers of signals refuse what the key has signed once they read the key set again; what has not been delivered yet is signed with the new key",
	},
}

// EventLifetime is how long an event may wait for its receiver, at most.
const EventLifetime = 7 * day

// The groups of purposes that rotate together.
const (
	GroupSigning = "signing"
	GroupSealing = "sealing"
	GroupRefresh = "refresh"
)

// PolicyOf returns the line of p.
func PolicyOf(p Purpose) (Policy, bool) {
	for _, policy := range Policies {
		if policy.Purpose == p {
			return policy, true
		}
	}
	return Policy{}, false
}

// CompromisedKept is how long a compromised key is listed. All nodes remember
// for longer than that which keys are dead.
const CompromisedKept = 365 * day

// KeepKeyEntry is until when the feed remembers a change of keys of now: a node
// that was cut off for a year must still learn which keys are dead.
func KeepKeyEntry(now time.Time) time.Time { return now.Add(CompromisedKept + 35*day) }
