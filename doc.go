// Package sallyport holds the tests of the house itself: which package may
// import which (arch_test.go), and what must be true of every file in the tree
// (repo_test.go). The product is in cmd and internal; start with ARCHITECTURE.md.
package sallyport
