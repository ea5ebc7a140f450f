module trellis.invalid/go-rosenpass-peer

go 1.24.0

require cunicu.li/go-rosenpass v0.5.42

require (
	github.com/cilium/ebpf v0.19.0 // indirect
	github.com/cloudflare/circl v1.3.3 // indirect
	github.com/gopacket/gopacket v1.4.0 // indirect
	github.com/mdlayher/socket v0.5.1 // indirect
	golang.org/x/crypto v0.43.0 // indirect
	golang.org/x/net v0.45.0 // indirect
	golang.org/x/sync v0.10.0 // indirect
	golang.org/x/sys v0.37.0 // indirect
)

// go-rosenpass takes Classic McEliece from a fork of circl and says so with a replace of its own
// go.mod, which counts only in the main module: so it is repeated here.
replace github.com/cloudflare/circl => github.com/cunicu/circl v0.0.0-20230801113412-fec58fc7b5f6
