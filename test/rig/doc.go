// Package rig drives the built binary for the black box tests: it builds and
// starts `sallyport dev`, waits for the line that says it is ready, trusts its
// CA, plays the person who signs in, and keeps everything that the program
// wrote and handed out. It decides nothing about the product and imports none
// of it; start with Start and Server.Person.
package rig
