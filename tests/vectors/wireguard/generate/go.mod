module trellis/vectors/wireguard

go 1.24.0

require (
	github.com/flynn/noise v1.1.0
	golang.org/x/crypto v0.43.0
)

require golang.org/x/sys v0.37.0 // indirect
