// Package interop walks through the issuer and the gateway with JavaScript
// libraries as they are published: openid-client, oauth4webapi and jose. The
// scripts are in test/node; the tests here play the person who signs in.
package interop
