// Package locale holds what people read, in each language: catalogues of
// messages, and how moments and spans of time are written. It knows neither
// pages nor mails. Start at Language.
package locale
