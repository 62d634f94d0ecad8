//go:build definitions

// Package definitions names the Go types that the definitions are made from, so that go.mod keeps their version.
package definitions

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
