// Package account decides who a person is: passwords, sign-in and the session
// that follows from it. It knows nothing of OAuth, HTTP or SQL. Start at
// Service in account.go.
package account
