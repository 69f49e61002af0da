package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	caLife    = 5 * 365 * 24 * time.Hour
	leafLife  = 90 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour // before its end a new one is made
)

// devCertificates makes sure that dir has a CA and a certificate for this
// machine that is valid for a while, and returns the CA's file. What is there
// and good is kept, so that a browser which trusts the CA goes on doing so.
func devCertificates(dir string, now time.Time) (caFile string, err error) {
	caFile = filepath.Join(dir, devCAFile)
	ca, caKey, err := readCA(dir, now)
	if err != nil {
		return "", err
	}
	if ca == nil {
		if ca, caKey, err = makeCA(dir, now); err != nil {
			return "", err
		}
	}
	if goodLeaf(dir, ca, now) {
		return caFile, nil
	}
	return caFile, makeLeaf(dir, ca, caKey, now)
}

// readCA returns nil without an error if there is none, or one that ends soon.
func readCA(dir string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, devCAFile), filepath.Join(dir, devCAKeyFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the local CA in %s: %w: start anew with --reset", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || now.Add(leafLife).After(pair.Leaf.NotAfter) {
		return nil, nil, nil
	}
	return pair.Leaf, key, nil
}

// makeCA makes a CA that can vouch for this machine and for nothing else, so
// that its key is worth little to a thief.
func makeCA(dir string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{"Sallyport dev"}, CommonName: "Sallyport dev CA on " + host},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return ca, key, writePair(filepath.Join(dir, devCAFile), filepath.Join(dir, devCAKeyFile), der, key)
}

// devNames are the names of this machine: that of the issuer, and that of the demo
// browser app.
var devNames = []string{"localhost", "app.localhost"}

// goodLeaf reports whether the certificate is of this CA and lasts a while.
func goodLeaf(dir string, ca *x509.Certificate, now time.Time) bool {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, devCertFile), filepath.Join(dir, devKeyFile))
	return err == nil && pair.Leaf.CheckSignatureFrom(ca) == nil && slices.Equal(pair.Leaf.DNSNames, devNames) &&
		now.Add(leafRenew).Before(pair.Leaf.NotAfter) && now.After(pair.Leaf.NotBefore)
}

func makeLeaf(dir string, ca *x509.Certificate, caKey *ecdsa.PrivateKey, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{"Sallyport dev"}, CommonName: "localhost"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: devNames, IPAddresses: loopbacks,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return writePair(filepath.Join(dir, devCertFile), filepath.Join(dir, devKeyFile), der, key)
}

// serial is random, as browsers expect of a CA that is made anew.
func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // the system's generator does not fail
	}
	return n.Add(n, big.NewInt(1))
}

func writePair(certFile, keyFile string, der []byte, key *ecdsa.PrivateKey) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := replaceFile(keyFile, encodePEM("PRIVATE KEY", pkcs8), 0o600); err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	if filepath.Base(certFile) == devCAFile {
		mode = 0o644 // others may trust it
	}
	return replaceFile(certFile, encodePEM("CERTIFICATE", der), mode)
}

func encodePEM(kind string, der []byte) []byte {
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}) // writing to memory
	return b.Bytes()
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
