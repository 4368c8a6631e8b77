// Package engine is what the container engines of this machine say.
package engine
