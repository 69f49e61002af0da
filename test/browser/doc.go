// Package browser drives Debian's Chromium through the demo and through every
// page of the issuer: with and without JavaScript, wide, on a phone and in the
// dark, by keyboard, and through axe-core. SALLYPORT_SCREENSHOTS names a folder
// that keeps a picture of each page.
package browser
