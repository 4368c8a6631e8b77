package pgops

import (
	"errors"
	"syscall"
)

// winsock are the errors of Windows' sockets. There they come as these numbers;
// syscall.ECONNREFUSED and its like are others, which Go made up.
// https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
var winsock = map[syscall.Errno]Cause{
	10013: CauseUnreachable, // WSAEACCES
	10049: CauseUnreachable, // WSAEADDRNOTAVAIL
	10050: CauseUnreachable, // WSAENETDOWN
	10051: CauseUnreachable, // WSAENETUNREACH
	10052: CauseSessionLost, // WSAENETRESET
	10053: CauseSessionLost, // WSAECONNABORTED
	10060: CauseTimeout,     // WSAETIMEDOUT
	10061: CauseConnectionRefused,
	10064: CauseUnreachable, // WSAEHOSTDOWN
	10065: CauseUnreachable, // WSAEHOSTUNREACH
	11001: CauseNoSuchHost,  // WSAHOST_NOT_FOUND
	11002: CauseNoSuchHost,  // WSATRY_AGAIN
	11004: CauseNoSuchHost,  // WSANO_DATA
}

// causeOfWinsock is "" for what is none of them.
func causeOfWinsock(err error) Cause {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return ""
	}
	return winsock[number]
}
