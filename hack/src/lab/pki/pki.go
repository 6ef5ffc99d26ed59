// Package pki makes the keys and certificates of a lab, each valid for this
// machine's loopback and for a week.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority is a certificate authority of its own.
type Authority struct {
	File string // its certificate, PEM
	Key  string // its key, PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair names the files of a certificate and its key, PEM.
type Pair struct{ Cert, Key string }

// NewAuthority writes NAME.crt and NAME.key into folder.
func NewAuthority(folder, name string) (*Authority, error) {
	template := template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	pair, cert, err := issue(folder, name, template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &Authority{File: pair.Cert, Key: pair.Key, cert: cert, key: key}, nil
}

// Server writes a certificate for a server on loopback and beside it for the
// names and addresses given.
func (a *Authority) Server(folder, name string, also ...string) (Pair, error) {
	template := template(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range append([]string{"127.0.0.1", "::1", "localhost"}, also...) {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.sign(folder, name, template)
}

// Client writes a certificate that makes its bearer user, a member of groups.
func (a *Authority) Client(folder, name, user string, groups ...string) (Pair, error) {
	template := template(user)
	template.Subject.Organization = groups
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(folder, name, template)
}

func (a *Authority) sign(folder, name string, template *x509.Certificate) (Pair, error) {
	template.KeyUsage = x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	pair, _, err := issue(folder, name, template, a.cert, key, a.key)
	return pair, err
}

// NewKey writes an ECDSA key, to sign tokens with.
func NewKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return writeKey(path, key)
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		// Clocks of two machines, or of one after its clock was set back.
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(7 * 24 * time.Hour),
	}
}

func issue(folder, name string, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (Pair, *x509.Certificate, error) {
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return Pair{}, nil, err
	}
	pair := Pair{Cert: filepath.Join(folder, name+".crt"), Key: filepath.Join(folder, name+".key")}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	if err := os.WriteFile(pair.Cert, text, 0o600); err != nil {
		return Pair{}, nil, err
	}
	return pair, cert, writeKey(pair.Key, key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600)
}
