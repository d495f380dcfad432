package link

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// A keeper is a socket that is bound to an address and does not listen on it.
// The kernel refuses whoever connects to such an address, gives the port to
// nobody who asks for any, and picks it for no outgoing connection, which could
// otherwise reach the refusing address from itself and be connected to itself.
// Since it has SO_REUSEADDR and never listens, a listener with SO_REUSEADDR may
// still come to the same address.
type keeper struct{ fd int }

func keep() (keeper, string, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return keeper{}, "", os.NewSyscallError("socket", err)
	}
	port, err := bind(fd)
	if err != nil {
		_ = syscall.Close(fd) // it holds nothing
		return keeper{}, "", err
	}
	return keeper{fd}, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

func bind(fd int) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return sa.(*syscall.SockaddrInet4).Port, nil
}

func (k keeper) close() error { return os.NewSyscallError("close", syscall.Close(k.fd)) }
