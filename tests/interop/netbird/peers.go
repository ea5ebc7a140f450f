//go:build tools

// Package netbird pins the NetBird programs that benchmarks and tests compare with.
package netbird

import (
	_ "github.com/netbirdio/netbird/client"
	_ "github.com/netbirdio/netbird/combined"
)
