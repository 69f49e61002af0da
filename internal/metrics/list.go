package metrics

var (
	route     = Label{"route", "path of an endpoint of the issuer, `gateway`, `none`"}
	status    = Label{"status", "`1xx` to `5xx`, `none` if nothing was answered"}
	api       = Label{"api", "`apis[].name`"}
	operation = Label{"operation", "`apis[].operations[].match`; `none` if the call was for none"}
)

// All is every metric of ours, in the order of the reference.
var All = []Metric{
	{"sallyport_build_info", Gauge, []Label{{"version", "of the program"}}, "Always 1.", ""},
	{"sallyport_http_requests_total", Counter, []Label{route, status}, "Requests by route and class of status.", "5xx"},
	{"sallyport_http_request_seconds", Histogram, []Label{route}, "Time until the answer was written, by route.", "it gets longer"},
	{"sallyport_security_events_total", Counter, []Label{{"event", "an event of [events.md](events.md)"}}, "Security events by name.", "see events.md"},
	{"sallyport_log_lines_left_out_total", Counter, nil, "Lines about refused requests that were not written, because there were too many.", "it grows: somebody tries to fill the log"},

	{"sallyport_gateway_calls_total", Counter, []Label{api, operation, status}, "Calls to APIs by what the client was answered.", "5xx"},
	{"sallyport_gateway_refusals_total", Counter, []Label{api, {"reason", "a word of the code, as in the log"}}, "Calls that the gateway answered itself, by reason.", "`upstream_…`: the API; `feed_stale`: the database; `panic`: report it"},
	{"sallyport_gateway_upstream_seconds", Histogram, []Label{api}, "Time until the answer of an API began. Calls that got none are not in it.", "it gets longer"},
	{"sallyport_gateway_in_flight", Gauge, nil, "Calls under way, without streams.", "near `gateway.concurrency`"},
	{"sallyport_gateway_shed_total", Counter, nil, "Calls that were refused because the node could not keep up.", "it grows: the node needs help"},
	{"sallyport_limits_shared_total", Counter, []Label{{"result", "`leased`, `refused`, `failed`"}}, "Questions to the shared state for a part of a limit.", "`failed`: each node counts for itself"},
	{"sallyport_gateway_streams", Gauge, nil, "Long answers and upgraded connections that are watched for revocation.", ""},

	{"sallyport_revocation_age_seconds", Gauge, nil, "How old the view of the revocation feed is.", "above 1: calls of tier high are refused"},
	{"sallyport_revocation_entries", Gauge, nil, "Revocations held in memory.", ""},
	{"sallyport_shared_state_total", Counter, []Label{{"result", "`fresh`, `repeated`, `failed`"}}, "Questions to the shared state whether something has been used, by answer.", "`failed`: tier high is refused"},
	{"sallyport_store_connections", Gauge, []Label{{"state", "`in_use`, `idle`"}}, "Connections to the database.", "`in_use` near the limit of 16"},
	{"sallyport_store_waits_total", Counter, nil, "How often somebody had to wait for a connection to the database.", "it grows quickly"},

	{"sallyport_trace_spans_total", Counter, []Label{{"result", "`sent`, `lost`"}}, "Spans of requests that are followed, by what became of them.", "`lost`: the collector is away or too slow"},

	{"sallyport_config_changes_total", Counter, []Label{{"result", "`taken`, `refused`"}}, "Changed configurations, by what became of them.", "`refused`"},
	{"sallyport_config_stale", Gauge, nil, "1 while a newer configuration than the one in force was refused.", "1: see /readyz"},
	{"sallyport_config_info", Gauge, []Label{{"policy", "its version: twelve hexadecimal digits"}}, "Always 1; which configuration is in force.", "nodes differ for long"},
	{"sallyport_tls_certificate_ends_seconds", Gauge, nil, "When the first certificate of the listeners ends, in Unix time; 0 if there is none yet.", "in less than 14 days"},
	{"sallyport_keys_ready", Gauge, nil, "1 if this node can make tokens.", "0"},
}
