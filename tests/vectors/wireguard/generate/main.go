// Writes the known answers of ../handshake.json and ../cookie.json to the folder given as argument:
// handshakes of github.com/flynn/noise, MACs and cookies of golang.org/x/crypto. All keys, ephemerals
// and nonces are fixed, so every run writes the same.
//
//	go run . ..
package main

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"log"
	"os"
	"path/filepath"

	"github.com/flynn/noise"
	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
)

const identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com"

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// pattern makes 32 bytes that are easy to recognise in a debugger.
func pattern(first byte) []byte {
	result := make([]byte, 32)
	for i := range result {
		result[i] = first + byte(i)
	}
	return result
}

func clamped(key []byte) []byte {
	result := bytes.Clone(key)
	result[0] &= 248
	result[31] &= 127
	result[31] |= 64
	return result
}

func public(private []byte) []byte { return must(curve25519.X25519(private, curve25519.Basepoint)) }

func blake(parts ...[]byte) []byte {
	h := must(blake2s.New256(nil))
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func mac(key []byte, data []byte) []byte {
	h := must(blake2s.New128(key))
	h.Write(data)
	return h.Sum(nil)
}

type handshake struct {
	Name               string   `json:"name"`
	InitiatorPrivate   string   `json:"initiator_private"`
	ResponderPrivate   string   `json:"responder_private"`
	InitiatorEphemeral string   `json:"initiator_ephemeral"`
	ResponderEphemeral string   `json:"responder_ephemeral"`
	PresharedKey       string   `json:"preshared_key"`
	InitiatorIndex     uint32   `json:"initiator_index"`
	ResponderIndex     uint32   `json:"responder_index"`
	Timestamp          string   `json:"timestamp"`
	Initiation         string   `json:"initiation"`
	Response           string   `json:"response"`
	InitiatorSends     []sealed `json:"initiator_sends"`
	ResponderSends     []sealed `json:"responder_sends"`
}

type sealed struct {
	Counter  uint64 `json:"counter"`
	Text     string `json:"text"`
	Datagram string `json:"datagram"`
}

func le32(value uint32) []byte {
	return []byte{byte(value), byte(value >> 8), byte(value >> 16), byte(value >> 24)}
}

func withMacs(message []byte, receiver []byte) []byte {
	key := blake([]byte("mac1----"), receiver)
	message = append(message, mac(key, message)...)
	return append(message, make([]byte, 16)...)
}

func transport(cipher *noise.CipherState, index uint32) []sealed {
	var result []sealed
	for counter := uint64(0); counter < 4; counter++ {
		text := bytes.Repeat([]byte{byte(counter)}, int(counter*16))
		header := append([]byte{4, 0, 0, 0}, le32(index)...)
		header = append(header, byte(counter), 0, 0, 0, 0, 0, 0, 0)
		datagram := must(cipher.Encrypt(header, nil, text))
		result = append(result, sealed{counter, hex.EncodeToString(text), hex.EncodeToString(datagram)})
	}
	return result
}

func makeHandshake(name string, presharedKey []byte, first byte) handshake {
	initiatorPrivate, responderPrivate := clamped(pattern(first)), clamped(pattern(first+32))
	initiatorEphemeral, responderEphemeral := pattern(first+64), pattern(first+96)
	timestamp := []byte{0x40, 0, 0, 0, 0x65, 0x43, 0x21, 0x0f, 0x12, 0x34, 0x56, 0x78}
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2s)
	config := func(own, peer, ephemeral []byte, initiator bool) noise.Config {
		result := noise.Config{
			CipherSuite: suite, Pattern: noise.HandshakeIK, Initiator: initiator,
			Prologue: []byte(identifier), PresharedKey: presharedKey, PresharedKeyPlacement: 2,
			StaticKeypair: noise.DHKey{Private: own, Public: public(own)},
			Random:        bytes.NewReader(ephemeral),
		}
		if initiator {
			result.PeerStatic = public(peer)
		}
		return result
	}
	initiator := must(noise.NewHandshakeState(config(initiatorPrivate, responderPrivate, initiatorEphemeral, true)))
	responder := must(noise.NewHandshakeState(config(responderPrivate, initiatorPrivate, responderEphemeral, false)))
	initiatorIndex, responderIndex := uint32(0x01020304)+uint32(first), uint32(0xa0b0c0d0)+uint32(first)

	noise1, _, _, err := initiator.WriteMessage(nil, timestamp)
	if err != nil {
		log.Fatal(err)
	}
	initiation := append([]byte{1, 0, 0, 0}, le32(initiatorIndex)...)
	initiation = withMacs(append(initiation, noise1...), public(responderPrivate))

	payload, _, _, err := responder.ReadMessage(nil, noise1)
	if err != nil || !bytes.Equal(payload, timestamp) {
		log.Fatal("the responder cannot read the initiation", err)
	}
	noise2, responderReceives, responderSends, err := responder.WriteMessage(nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	response := append([]byte{2, 0, 0, 0}, le32(responderIndex)...)
	response = append(response, le32(initiatorIndex)...)
	response = withMacs(append(response, noise2...), public(initiatorPrivate))

	_, initiatorSends, initiatorReceives, err := initiator.ReadMessage(nil, noise2)
	if err != nil {
		log.Fatal(err)
	}
	if initiatorSends.UnsafeKey() != responderReceives.UnsafeKey() ||
		initiatorReceives.UnsafeKey() != responderSends.UnsafeKey() {
		log.Fatal("the ends disagree")
	}
	return handshake{
		Name:               name,
		InitiatorPrivate:   hex.EncodeToString(initiatorPrivate),
		ResponderPrivate:   hex.EncodeToString(responderPrivate),
		InitiatorEphemeral: hex.EncodeToString(initiatorEphemeral),
		ResponderEphemeral: hex.EncodeToString(responderEphemeral),
		PresharedKey:       hex.EncodeToString(presharedKey),
		InitiatorIndex:     initiatorIndex,
		ResponderIndex:     responderIndex,
		Timestamp:          hex.EncodeToString(timestamp),
		Initiation:         hex.EncodeToString(initiation),
		Response:           hex.EncodeToString(response),
		InitiatorSends:     transport(initiatorSends, responderIndex),
		ResponderSends:     transport(responderSends, initiatorIndex),
	}
}

type cookie struct {
	Name           string `json:"name"`
	CheckerPublic  string `json:"checker_public"`
	Secret         string `json:"secret"`
	Address        string `json:"address"`
	AddressBytes   string `json:"address_bytes"` // address and port as they are hashed
	Nonce          string `json:"nonce"`
	Sender         uint32 `json:"sender"`
	Initiation     string `json:"initiation"` // with mac1, without mac2
	Cookie         string `json:"cookie"`
	Reply          string `json:"reply"`
	InitiationMac2 string `json:"initiation_mac2"`
}

func makeCookie(name, address string, addressBytes []byte, initiation string) cookie {
	checker := public(clamped(pattern(32)))
	secret, nonce := pattern(0xc0), pattern(0x50)[:24]
	message := must(hex.DecodeString(initiation))
	value := mac(secret, addressBytes)
	mac1 := message[116:132]
	aead := must(chacha20poly1305.NewX(blake([]byte("cookie--"), checker)))
	reply := append([]byte{3, 0, 0, 0}, message[4:8]...)
	reply = append(reply, nonce...)
	reply = aead.Seal(reply, nonce, value, mac1)
	return cookie{
		Name:           name,
		CheckerPublic:  hex.EncodeToString(checker),
		Secret:         hex.EncodeToString(secret),
		Address:        address,
		AddressBytes:   hex.EncodeToString(addressBytes),
		Nonce:          hex.EncodeToString(nonce),
		Sender:         uint32(message[4]) | uint32(message[5])<<8 | uint32(message[6])<<16 | uint32(message[7])<<24,
		Initiation:     initiation,
		Cookie:         hex.EncodeToString(value),
		Reply:          hex.EncodeToString(reply),
		InitiationMac2: hex.EncodeToString(mac(value, message[:132])),
	}
}

type derivation struct {
	ChainingKey string   `json:"chaining_key"`
	Input       string   `json:"input"`
	Outputs     []string `json:"outputs"`
}

func makeDerivation(key, input []byte) derivation {
	newHash := func() hash.Hash { return must(blake2s.New256(nil)) }
	expand := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(newHash, key)
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	secret := expand(key, input)
	result := derivation{ChainingKey: hex.EncodeToString(key), Input: hex.EncodeToString(input)}
	var previous []byte
	for i := byte(1); i <= 3; i++ {
		previous = expand(secret, previous, []byte{i})
		result.Outputs = append(result.Outputs, hex.EncodeToString(previous))
	}
	return result
}

func write(folder, name string, value any) {
	text := append(must(json.MarshalIndent(value, "", " ")), '\n')
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
		log.Fatal(err)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FOLDER")
		os.Exit(2)
	}
	handshakes := []handshake{
		makeHandshake("zero preshared key", make([]byte, 32), 0),
		makeHandshake("preshared key", pattern(0x80), 7),
	}
	write(os.Args[1], "handshake.json", map[string]any{
		"source":     "github.com/flynn/noise v1.1.0, golang.org/x/crypto v0.43.0; see generate/main.go",
		"handshakes": handshakes,
		"kdf": []derivation{
			makeDerivation(pattern(1), nil), makeDerivation(pattern(2), pattern(0x90)),
		},
	})
	write(os.Args[1], "cookie.json", map[string]any{
		"source": "golang.org/x/crypto v0.43.0; see generate/main.go",
		"cookies": []cookie{
			makeCookie("v4", "192.0.2.33:51820", []byte{192, 0, 2, 33, 0xca, 0x6c}, handshakes[0].Initiation),
			makeCookie("v6", "[2001:db8::33]:51820", append(append([]byte{0x20, 1, 0x0d, 0xb8},
				append(make([]byte, 11), 0x33)...), 0xca, 0x6c), handshakes[0].Initiation),
		},
	})
}
