// Package ratelimit decides how often something may happen: bucket arithmetic,
// the table of limits, and a bounded memory of who has used how much. It knows
// nothing of requests, and nothing of other nodes: each node counts for itself.
// Start at Limits in limits.go, then Table.
package ratelimit
