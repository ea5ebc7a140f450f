// Writes ../ml_kem_768.txt with Go's crypto/mlkem and ../kyber512_round3.txt with CIRCL's Kyber-512
// (round 3), to the folder given as argument. Kyber's seeds are those of NIST's known answers; hashes
// of what comes out, as Botan 3.13 lists them in src/tests/data/pubkey/kyber_kat.vec, are checked
// here. Every run writes the same.
//
//	go run . ..
package main

import (
	"crypto/aes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha3"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloudflare/circl/kem/kyber/kyber512"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func unhex(text string) []byte { return must(hex.DecodeString(text)) }

// nistGenerator is the AES-256-CTR DRBG of NIST's PQCgenKAT programs.
type nistGenerator struct {
	key [32]byte
	v   [16]byte
}

func newNistGenerator(seed []byte) *nistGenerator {
	g := &nistGenerator{}
	g.update(seed)
	return g
}

func (g *nistGenerator) block() []byte {
	for i := 15; i >= 0; i-- {
		g.v[i]++
		if g.v[i] != 0 {
			break
		}
	}
	out := make([]byte, 16)
	must(aes.NewCipher(g.key[:])).Encrypt(out, g.v[:])
	return out
}

func (g *nistGenerator) update(data []byte) {
	var state []byte
	for range 3 {
		state = append(state, g.block()...)
	}
	for i := range data {
		state[i] ^= data[i]
	}
	copy(g.key[:], state)
	copy(g.v[:], state[32:])
}

func (g *nistGenerator) draw(n int) []byte {
	var out []byte
	for len(out) < n {
		out = append(out, g.block()...)
	}
	g.update(nil)
	return out[:n]
}

type field struct {
	name  string
	value []byte
}

func block(fields ...field) string {
	var text strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&text, "%s = %x\n", f.name, f.value)
	}
	return text.String()
}

func write(folder, name, source, section string, blocks []string) {
	text := "# " + source + ", by generate/main.go.\n[" + section + "]\n" + strings.Join(blocks, "\n")
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}

// corrupt flips one bit, for the secret of implicit rejection.
func corrupt(ciphertext []byte) []byte {
	other := append([]byte{}, ciphertext...)
	other[len(other)/2] ^= 0x10
	return other
}

func mlKem() []string {
	var blocks []string
	for i := range byte(3) {
		seed := sha3.SumSHAKE256([]byte{'s', 'e', 'e', 'd', i}, 64)
		message := sha3.SumSHAKE256([]byte{'m', i}, 32)
		key := must(mlkem.NewDecapsulationKey768(seed))
		secret, ciphertext, err := mlkemtest.Encapsulate768(key.EncapsulationKey(), message)
		if err != nil {
			log.Fatal(err)
		}
		blocks = append(blocks, block(
			field{"seed", seed},
			field{"message", message},
			field{"public_key", key.EncapsulationKey().Bytes()},
			field{"ciphertext", ciphertext},
			field{"secret", secret},
			field{"rejected", must(key.Decapsulate(corrupt(ciphertext)))}))
	}
	return blocks
}

type answer struct{ seed, secret, publicKey, secretKey, ciphertext string }

func (a answer) check(name, want string, got []byte) {
	if !strings.EqualFold(want, hex.EncodeToString(got)) {
		log.Fatalf("%s of seed %s is %x, not %s", name, a.seed, got, want)
	}
}

func kyber() []string {
	scheme := kyber512.Scheme()
	var blocks []string
	for _, a := range kyberAnswers {
		generator := newNistGenerator(unhex(a.seed))
		// The reference program draws d, then z.
		seed := append(generator.draw(32), generator.draw(32)...)
		public, private := scheme.DeriveKeyPair(seed)
		message := generator.draw(32)
		ciphertext, secret, err := scheme.EncapsulateDeterministically(public, message)
		if err != nil {
			log.Fatal(err)
		}
		publicKey := must(public.MarshalBinary())
		secretKey := must(private.MarshalBinary())
		a.check("public key", a.publicKey, sha3.SumSHAKE256(publicKey, 16))
		a.check("secret key", a.secretKey, sha3.SumSHAKE256(secretKey, 16))
		a.check("ciphertext", a.ciphertext, sha3.SumSHAKE256(ciphertext, 16))
		a.check("secret", a.secret, secret)
		blocks = append(blocks, block(
			field{"message", message},
			field{"public_key", publicKey},
			field{"secret_key", secretKey},
			field{"ciphertext", ciphertext},
			field{"secret", secret},
			field{"rejected", must(scheme.Decapsulate(private, corrupt(ciphertext)))}))
	}
	return blocks
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . FOLDER")
	}
	write(os.Args[1], "ml_kem_768.txt", "ML-KEM-768 (FIPS 203) of Go's crypto/mlkem", "ml-kem-768", mlKem())
	write(os.Args[1], "kyber512_round3.txt",
		"NIST's first known answers of Kyber-512, round 3, whole, made with CIRCL and checked with Botan's hashes",
		"kyber512", kyber())
}
