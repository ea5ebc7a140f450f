// Command go-rosenpass-peer runs go-rosenpass as a peer of the interop tests: one pair, from files.
//
//	go-rosenpass-peer gen-keys PUBLIC SECRET
//	go-rosenpass-peer exchange --own-secret F --own-public F --peer-public F
//	                           --listen ADDR:PORT [--endpoint ADDR:PORT] [--psk F] --key-out F
//	                           [--rekey-after DURATION] [--verbose]
//	                           [--more-peers FOLDER --peers COUNT] [-- COMMAND ...]
//
// With --endpoint it initiates, without it waits. Each new key goes to --key-out as base64 without
// a newline, then one line goes to stdout:
//
//	output-key peer PID key-file "F" exchanged
//
// An expired key is announced by `... stale` with a random key in the file, as go-rosenpass does.
// --more-peers adds the peers 0001.pk, 0002.pk ... of a folder; --peers counts all, --peer-public
// among them.
// COMMAND is run after each new key, such as `wg set` with the file for a preshared key.
// --rekey-after shortens the two minutes after which the responder renews, and the other times with
// them, so that renewals can be seen in seconds.
package main

import (
	"encoding/base64"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	rosenpass "cunicu.li/go-rosenpass"
)

const pskBytes = 32

// keyFile writes each new key to a file and announces it. Handlers run in goroutines of their own.
type keyFile struct {
	path    string
	command []string
	mu      sync.Mutex
}

func (k *keyFile) HandshakeCompleted(peer rosenpass.PeerID, key rosenpass.Key) {
	k.write(peer, key, rosenpass.KeyOutputReasonExchanged)
}

func (k *keyFile) HandshakeExpired(peer rosenpass.PeerID) {
	random, err := rosenpass.GeneratePresharedKey()
	if err != nil {
		fail(err)
	}
	k.write(peer, random, rosenpass.KeyOutputReasonStale)
}

func (k *keyFile) write(peer rosenpass.PeerID, key rosenpass.Key, why rosenpass.KeyOutputReason) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := base64.StdEncoding.EncodeToString(key[:])
	if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
		fail(err)
	}
	fmt.Println(rosenpass.KeyOutput{Peer: peer, KeyFile: k.path, Why: why})
	if len(k.command) == 0 {
		return
	}
	if out, err := exec.Command(k.command[0], k.command[1:]...).CombinedOutput(); err != nil {
		slog.Error("The command failed", slog.Any("error", err), slog.String("output", string(out)))
	}
}

func genKeys(publicPath, secretPath string) error {
	public, secret, err := rosenpass.GenerateKeyPair()
	if err != nil {
		return err
	}
	if err := os.WriteFile(secretPath, secret[:], 0o600); err != nil {
		return err
	}
	return os.WriteFile(publicPath, public[:], 0o644)
}

func readPSK(path string) (key rosenpass.Key, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return key, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return key, err
	}
	if len(raw) != pskBytes {
		return key, fmt.Errorf("%s: %d bytes, want %d", path, len(raw), pskBytes)
	}
	copy(key[:], raw)
	return key, nil
}

func exchange(args []string) error {
	flags := flag.NewFlagSet("exchange", flag.ExitOnError)
	ownSecret := flags.String("own-secret", "", "own secret key, 13608 bytes")
	ownPublic := flags.String("own-public", "", "own public key")
	peerPublic := flags.String("peer-public", "", "public key of the peer")
	listen := flags.String("listen", "", "address and port to listen on")
	endpoint := flags.String("endpoint", "", "address and port of the peer; makes us initiate")
	psk := flags.String("psk", "", "file with the preshared key, base64")
	keyOut := flags.String("key-out", "", "file for the output key")
	morePeers := flags.String("more-peers", "", "folder of public keys 0000.pk, 0001.pk ...")
	peers := flags.Int("peers", 1, "how many of them")
	rekeyAfter := flags.Duration("rekey-after", 0, "renew after this time instead of two minutes")
	verbose := flags.Bool("verbose", false, "log at debug level")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := &slog.HandlerOptions{}
	if *verbose {
		options.Level = slog.LevelDebug
	}
	if *rekeyAfter > 0 {
		rosenpass.RekeyAfterTimeResponder = *rekeyAfter
		rosenpass.RekeyAfterTimeInitiator = *rekeyAfter + *rekeyAfter/12
		rosenpass.RejectAfterTime = *rekeyAfter + *rekeyAfter/2
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, options)))

	var config rosenpass.Config
	var peer rosenpass.PeerConfig
	var err error
	if config.SecretKey, err = os.ReadFile(*ownSecret); err != nil {
		return err
	}
	if config.PublicKey, err = os.ReadFile(*ownPublic); err != nil {
		return err
	}
	if peer.PublicKey, err = os.ReadFile(*peerPublic); err != nil {
		return err
	}
	address, err := net.ResolveUDPAddr("udp", *listen)
	if err != nil {
		return err
	}
	if *endpoint != "" {
		if peer.Endpoint, err = net.ResolveUDPAddr("udp", *endpoint); err != nil {
			return err
		}
	}
	if *psk != "" {
		if peer.PresharedKey, err = readPSK(*psk); err != nil {
			return err
		}
	}
	config.ListenAddrs = []*net.UDPAddr{address}
	config.Peers = []rosenpass.PeerConfig{peer}
	for number := 1; *morePeers != "" && number < *peers; number++ {
		another := peer
		path := filepath.Join(*morePeers, fmt.Sprintf("%04d.pk", number))
		if another.PublicKey, err = os.ReadFile(path); err != nil {
			return err
		}
		config.Peers = append(config.Peers, another)
	}
	config.Handlers = []rosenpass.Handler{&keyFile{path: *keyOut, command: flags.Args()}}

	server, err := rosenpass.NewUDPServer(config)
	if err != nil {
		return err
	}
	if err := server.Run(); err != nil {
		return err
	}
	select {}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "go-rosenpass-peer:", err)
	os.Exit(1)
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "gen-keys":
		err = genKeys(os.Args[2], os.Args[3])
	case len(os.Args) > 2 && os.Args[1] == "exchange":
		err = exchange(os.Args[2:])
	default:
		err = fmt.Errorf("usage: gen-keys PUBLIC SECRET | exchange OPTIONS")
	}
	if err != nil {
		fail(err)
	}
}
