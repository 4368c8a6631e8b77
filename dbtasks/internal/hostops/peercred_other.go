//go:build !linux && !darwin

package hostops

// PeerCred has no counterpart here: its error is ErrNoPeer.
func PeerCred(string) (Peer, error) { return Peer{}, ErrNoPeer }
