package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
)

// NewHostKey writes an ECDSA key that an SSH server can use, and returns its
// public part as it stands in a known_hosts file: type and key.
func NewHostKey(path string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	if err := writeKey(path, key); err != nil {
		return "", err
	}
	public, err := key.PublicKey.ECDH()
	if err != nil {
		return "", err
	}
	const name, curve = "ecdsa-sha2-nistp256", "nistp256"
	var wire []byte
	for _, field := range [][]byte{[]byte(name), []byte(curve), public.Bytes()} {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(field)))
		wire = append(wire, field...)
	}
	return name + " " + base64.StdEncoding.EncodeToString(wire), nil
}
