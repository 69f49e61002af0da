package audit

// Field is an attribute that a line of the log may have (LG11).
type Field struct{ Key, Where, Meaning string }

// Where the fields stand.
const (
	everyRequest = "each `request`"
	someRequests = "`request`"
	elsewhere    = "others"
)

// Fields are all there are, besides time, level and msg. None holds a token, a
// code, a secret, a cookie, a query, a header or a body; of people there is the
// account ID and the address that the request came from.
var Fields = []Field{
	{"request_id", everyRequest, "26 characters that sort by time; the last eight characters are the error ID that people see"},
	{"method", everyRequest, "of HTTP; `other` for one that nobody knows"},
	{"route", everyRequest, "path of an endpoint of the issuer as in its table, `gateway`, or `none`; never the path that came"},
	{"status", everyRequest, "of the answer; 0: none was given"},
	{"outcome", everyRequest, "`ok`, `refused`, `failed`, `aborted`, `client_gone`"},
	{"took_us", everyRequest, "microseconds until the answer was written"},
	{"bytes", everyRequest, "of the body of the answer"},
	{"remote", everyRequest, "address of the client"},
	{"policy", everyRequest, "version of the configuration that decided; also of the lines about changes of it"},
	{"api", someRequests, "name of the API that was called"},
	{"operation", someRequests, "method and template of the operation, as configured"},
	{"tier", someRequests, "of the operation"},
	{"idempotency", someRequests, "`replayed`: the answer of the first request with this key was given again; `unsettled`: what came of the call could not be remembered"},
	{"client_id", someRequests, "who asked, as far as is known"},
	{"subject", someRequests, "account ID of the person, or `client:` and a client_id"},
	{"actor", someRequests, "who acts for subject, in the same form"},
	{"grant_id", someRequests, "what the token comes from; it can be revoked by it"},
	{"events", someRequests, "names of [events](events.md), with spaces between; also of lines that are no request"},
	{"reason", someRequests, "why, from a fixed set of words; one for each event that has one"},
	{"credential", someRequests, "cookie: the call came with the cookie of a browser app; otherwise with a token"},
	{"error", someRequests, "code of [errors](errors.md) that the client got; in other lines what went wrong"},
	{"error_reason", someRequests, "the finer code that the client got"},
	{"why", someRequests, "what was wrong, in our words"},
	{"error_id", someRequests, "that the client was shown, with a 5xx"},
	{"cause", someRequests, "of a 5xx, in our words and those of libraries"},
	{"panic", someRequests, "of a fault of ours; please report it"},
	{"stack", someRequests, "where it happened, up to 8 KiB"},
	{"cost", someRequests, "what a call to a third-party API counts of its budget"},
	{"upstream_status", someRequests, "of a third-party API"},
	{"stream_ended", someRequests, "why a stream was ended by us"},
	{"faults", someRequests, "the first places that break the API's description: where, and a word of the code; never a value"},
	{"notices_lost", someRequests, "people who could not be told of a leak"},
	{"one_of", someRequests, "this line stands for so many like it: `log.access` is `sampled`"},
	{"trace_id", someRequests, "of the trace, if the request is followed"},
	{"lines_left_out", someRequests, "lines about refused requests that were left out since the last line, because there were too many"},

	{"issuer", elsewhere, "as configured"},
	{"listen", elsewhere, "address of the public listener"},
	{"metrics_listen", elsewhere, "address of the operators' listener"},
	{"app", elsewhere, "address of the demo page of sallyport dev"},
	{"before", elsewhere, "version of the configuration before"},
	{"in", elsewhere, "how long until the listeners close, in nanoseconds"},
	{"by", elsewhere, "by how much the clock was set, in nanoseconds"},
	{"rows", elsewhere, "that had ended and were removed"},
	{"kind", elsewhere, "of a failed connection, or of a credential that leaked"},
	{"key_id", elsewhere, "of a signing or sealing key"},
	{"purpose", elsewhere, "of a key"},
	{"active_at", elsewhere, "from when a key makes tokens"},
	{"secret_name", elsewhere, "name of a secret that egress uses"},
	{"host", elsewhere, "of a certificate"},
	{"until", elsewhere, "when a certificate ends"},
	{"incident", elsewhere, "ID of a leak"},
	{"at", elsewhere, "when a leak was reported"},
	{"hash_prefix", elsewhere, "first eight hexadecimal digits of the SHA-256 of what leaked"},
	{"action", elsewhere, "what was done about a leak"},
	{"url", elsewhere, "where a leak was found, without its query"},
	{"source", elsewhere, "what kind of place that is"},
	{"reporter", elsewhere, "client_id of who reported it, or `operator`"},
	{"to", elsewhere, "who is told: `person`, `operator`, `webhook` or a client"},
	{"notices", elsewhere, "how many were in one letter"},
	{"type", elsewhere, "URI of the kind of a signal"},
	{"refusal", elsewhere, "code by which a receiver refused a signal"},
}

// Message is the msg of a line.
type Message struct{ Text, Level, Do string }

// Messages are all that are written while the server runs. A text that ends in …
// goes on.
var Messages = []Message{
	{"request", "info; error with a 5xx", "see the fields"},
	{"ready", "info", "nothing"},
	{"no longer ready; stopping soon", "info", "nothing, if you ended it"},
	{"stopping", "info", "nothing, if you ended it"},
	{"stopped", "info", "nothing, if you ended it"},
	{"some requests were cut off", "warn", "raise `drain.limit` if they may take that long"},
	{"close store", "warn", "look at the database"},
	{"the configuration has changed", "info", "find out who changed it, if not you"},
	{"the changed configuration is refused: the one before stays in force", "error", "mend what error says"},
	{"the secret of a client was compromised and is refused", "warn", "do what why says"},
	{"keys have changed", "info", "nothing"},
	{"keys cannot be read: those that are known go on", "error", "look at the database: without it this node stops making tokens"},
	{"keys cannot be rotated: the old ones go on", "error", "look at the database, and at error"},
	{"keys are followed again", "info", "nothing"},
	{"a key is active only far ahead: the clock of the node that made it was wrong; rotation passes it over, end it with sallyport key compromise", "warn", "what it says"},
	{"revocations cannot be read: tiers will be refused as they get stale", "error", "look at the database"},
	{"revocations can be read again", "info", "nothing"},
	{"the database is not where it was: …", "error", "docs/guide/leaks.md; find out what the backup or the replica lacks"},
	{"the clock was set: nothing is deleted in this hour", "warn", "look at the time service"},
	{"expire rows", "warn", "look at the database"},
	{"expired rows", "info", "nothing"},
	{"connection failed", "warn", "many of kind accept: too few file descriptors"},
	{"TLS handshake failed", "debug", "nothing: scanners do that"},
	{"a secret has changed", "info", "find out who did it, if not you"},
	{"the last use of secrets is not noted", "warn", "look at the database"},
	{"the last use of API keys is not noted", "warn", "look at the database"},
	{"certificate", "info", "nothing: it is new and in force"},
	{"a certificate is about to end", "warn", "renew it, or see why the authority does not"},
	{"there is no certificate: the authority has not given one", "error", "see error; the one before goes on until it ends"},
	{"the collector of traces does not take them: they are lost", "warn", "look at the collector and traces in the configuration"},
	{"the collector takes traces again", "info", "nothing"},
	{"leak", "warn; error for the master key", "see events"},
	{"notice", "as the event", "see events"},
	{"a notice could not be sent yet", "warn", "look at mail and leaks in the configuration"},
	{"signal", "as the event", "see events"},
	{"an event could not be delivered yet", "warn", "nothing yet: it is tried again"},
	{"render demo page", "error", "report it; only of sallyport dev"},
	{"revoke demo tokens", "warn", "nothing; only of sallyport dev"},
}
