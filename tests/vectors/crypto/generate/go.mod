module trellis/vectors/crypto

go 1.26.0

require github.com/cloudflare/circl v1.6.1

require golang.org/x/sys v0.10.0 // indirect
