// Package roster reads lists of people as other systems export them, and writes and
// reads our own. It decides what a line means and what is wrong with it; whether
// somebody is taken in is decided by its callers. Start at Read.
package roster
