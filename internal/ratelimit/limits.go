package ratelimit

import "time"

// Name is a limit in the table.
type Name string

// The limits. Each has a line in Limits.
const (
	LoginPair        Name = "login_pair"
	LoginAddress     Name = "login_address"
	LoginNetwork     Name = "login_network"
	LoginAccount     Name = "login_account"
	LoginBrowser     Name = "login_browser"
	LoginKnown       Name = "login_known"
	SessionMoved     Name = "session_moved"
	PasskeyAddress   Name = "passkey_address"
	PasskeyNetwork   Name = "passkey_network"
	ClientAuth       Name = "client_auth"
	ClientAuthAll    Name = "client_auth_all"
	Introspect       Name = "introspect"
	PushedRequest    Name = "pushed_request"
	PushedPublic     Name = "pushed_request_public"
	PushedStranger   Name = "pushed_request_stranger"
	LeakReport       Name = "leak_report"
	Signals          Name = "signals"
	LogNetwork       Name = "log_network"
	LogAll           Name = "log_all"
	Register         Name = "register"
	RegisterAuth     Name = "register_auth"
	RegisterUpdate   Name = "register_update"
	Ask              Name = "ask"
	GlobalRevocation Name = "global_revocation"
)

// Limits of devices that ask, and of the codes that people type for them.
const (
	DeviceAsk   Name = "device_ask"
	CodeAddress Name = "user_code_address"
	CodePerson  Name = "user_code_person"
	CodeAll     Name = "user_code_all"
)

// Limits of the codes of second factors.
const (
	FactorAddress Name = "factor_address"
	FactorAccount Name = "factor_account"
)

// Limits of what people ask for by mail.
const (
	MailNetwork Name = "mail_network"
	MailPair    Name = "mail_pair"
)

// Limit lets Burst events happen at once, and one more each time Every has
// passed: in any span d, at most Burst + d/Every.
type Limit struct {
	Name  Name
	Burst int
	Every time.Duration
	Key   string // what is counted apart, made with Key, Address and Network
	Why   string
}

// Limits lists every limit. Those about people, clients and tokens count
// failures only: who is right is never slowed by having been right often.
var Limits = []Limit{
	{
		LoginPair, 10, 5 * time.Minute, "account and address",
		"guesses at one account from one place; somebody who mistypes is not stopped for long",
	},
	{
		LoginAddress, 50, 30 * time.Second, "address",
		"one guess at each of many accounts; an address may stand for a whole office",
	},
	{
		LoginNetwork, 500, 3 * time.Second, "network",
		"the same from somebody who owns a block of addresses",
	},
	{
		LoginAccount, 200, time.Minute, "account",
		"guesses at one account from everywhere: the more, the longer an attempt waits, and none is refused, so that no stranger locks a person out",
	},
	{
		LoginBrowser, 10, 5 * time.Minute, "account and browser that the person has signed in from",
		"guesses from there, when one of the others is used up: nobody else slows a person on their own device",
	},
	{
		LoginKnown, 300, 200 * time.Millisecond, "network",
		"questions to the store whether a browser is known; past it none is",
	},
	{
		SessionMoved, 2, 6 * time.Hour, "session",
		"events of its person about a cookie that is on another device: whoever holds it could fill the list",
	},
	{
		PasskeyAddress, 50, 10 * time.Second, "address",
		"answers of authenticators that are wrong; counted apart from passwords, so that who guesses those takes the passkeys away from nobody",
	},
	{
		PasskeyNetwork, 500, time.Second, "network",
		"the same from somebody who owns a block of addresses",
	},
	{
		ClientAuth, 20, 10 * time.Second, "client and address",
		"guesses at a client secret",
	},
	{
		ClientAuthAll, 200, time.Second, "client",
		"the same from everywhere; who is right is let through, so that no stranger locks a client out",
	},
	{
		Introspect, 1000, 50 * time.Millisecond, "calling client",
		"fishing for tokens; a resource server that strangers send garbage to must still be served",
	},
	{
		PushedRequest, 5000, 10 * time.Millisecond, "client",
		"each pushed request is a row for half an hour",
	},
	{
		PushedPublic, 200, 250 * time.Millisecond, "client and address",
		"the same from apps that prove nothing of themselves",
	},
	{
		PushedStranger, 500, 100 * time.Millisecond, "network",
		"the same from clients that nobody vouches for, of which a stranger makes as many as he likes",
	},
	{
		GlobalRevocation, 60, time.Second, "calling client",
		"a partner that floods, or guesses who has an account",
	},
	{
		LeakReport, 60, time.Second, "reporting client",
		"a partner that floods: each report can hold a hundred strings and makes the store look for them",
	},
	{
		Register, 20, 2 * time.Minute, "network",
		"clients that register themselves: each is a row, and some make this server ask addresses",
	},
	{
		RegisterAuth, 50, 10 * time.Second, "address",
		"wrong registration access tokens and initial ones",
	},
	{
		RegisterUpdate, 20, time.Minute, "client",
		"a client that changes its metadata again and again: each time all nodes read it anew, and addresses in it may be asked",
	},
	{
		Ask, 50, 2 * time.Second, "network",
		"requests that make this server ask an address of a stranger's choice: client_ids and request_uris",
	},
	{
		Signals, 300, 50 * time.Millisecond, "receiver",
		"a receiver of signals that asks again and again; one that waits for events as it should needs few calls",
	},
	{
		DeviceAsk, 60, 5 * time.Second, "client and address",
		"requests of devices, each of which is a row for ten minutes and a user code that somebody could be made to type",
	},
	{
		CodeAddress, 10, time.Minute, "address",
		"guesses at the user codes that devices show",
	},
	{
		CodePerson, 10, time.Minute, "account",
		"the same from somebody who is signed in, wherever they are",
	},
	{
		CodeAll, 1000, time.Second, "nothing: one for all who are not signed in",
		"the same from many addresses at once: 1600 guesses at 2.56e10 codes in the ten minutes that one lives; past it people sign in first",
	},
	{
		FactorAddress, 30, 30 * time.Second, "address",
		"guesses at the codes of people whose first factor is known",
	},
	{
		FactorAccount, 20, 15 * time.Minute, "account",
		"the same for one account, from somebody who has its first factor; the person's own right codes do not give them back",
	},
	{
		MailNetwork, 30, time.Minute, "network",
		"mails with codes, to whomever: each is a row, and somebody's mailbox; a whole office may sign up at once",
	},
	{
		MailPair, 5, 10 * time.Minute, "name or address, and network",
		"the same to one person; nobody elsewhere uses up what the person may ask for",
	},
	{
		LogNetwork, 200, 100 * time.Millisecond, "network",
		"lines of the log about requests that were refused; past it they are counted and left out",
	},
	{
		LogAll, 2000, 2 * time.Millisecond, "nothing: one for all",
		"the same from many networks at once",
	},
}
