// Package hashworker computes password hashes in processes of their own, at the
// lowest priority. A hash takes a core for tens of milliseconds and leaves megabytes
// for the collector: in the process that serves, a queue of sign-ins makes each call
// of an API wait for both.
package hashworker
