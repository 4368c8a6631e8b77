//go:build !linux

package hostops

import (
	"context"
	"errors"
)

// ReadFlows is not told here.
func ReadFlows(func(Flow) bool) ([]Flow, error) { return nil, errors.ErrUnsupported }

// ReadSettledFlows is not told here.
func ReadSettledFlows(context.Context, func(Flow) bool) ([]Flow, error) {
	return nil, errors.ErrUnsupported
}
