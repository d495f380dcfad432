package ftpserver

import (
	"bufio"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A session is one connection for commands. It does one thing after the other: a
// transfer holds it until the transfer is over.
type session struct {
	server *Server
	conn   net.Conn
	lines  *bufio.Reader
	user   string // who wants to log in
	in     bool   // logged in

	passive net.Listener // for the next transfer's data; nil for none
	offset  int64        // where the next transfer begins
	from    string       // what the next command may rename
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{server: s, conn: conn, lines: bufio.NewReaderSize(conn, lineMax)}
}

// run serves commands until the client goes, or does not keep to the protocol.
func (s *session) run() {
	defer s.noPassive()
	err := s.reply(220, "flowbench")
	for err == nil {
		var line []byte
		if line, err = s.lines.ReadSlice('\n'); err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				_ = s.reply(500, "the line is too long") // and goes, since the rest of it is no command
			}
			return
		}
		verb, argument, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		err = s.serve(strings.ToUpper(verb), argument)
	}
}

// errQuit ends a session that its client has ended.
var errQuit = errors.New("the client has said goodbye")

func (s *session) reply(code int, text string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(replyWait)) // the write below says the same
	_, err := fmt.Fprintf(s.conn, "%d %s\r\n", code, text)
	return err
}

// serve serves one command. An error ends the session.
func (s *session) serve(verb, argument string) error {
	from, offset := s.from, s.offset
	if verb != "EPSV" && verb != "PASV" {
		s.from, s.offset = "", 0 // both are for the command that follows
	}
	switch verb {
	case "USER":
		s.user, s.in = argument, false
		return s.reply(331, "password required")
	case "PASS":
		return s.logIn(argument)
	case "QUIT":
		_ = s.reply(221, "goodbye") // it may be gone already
		return errQuit
	case "NOOP":
		return s.reply(200, "ok")
	case "SYST":
		return s.reply(215, "UNIX Type: L8")
	case "FEAT":
		_, err := io.WriteString(s.conn, "211-Features:\r\n EPSV\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n")
		return err
	}
	if !s.in {
		return s.reply(530, "not logged in")
	}
	switch verb {
	case "TYPE":
		if t := strings.ToUpper(argument); t != "I" && t != "L 8" {
			return s.reply(504, "only type I")
		}
		return s.reply(200, "ok")
	case "OPTS":
		return s.reply(200, "ok")
	case "PWD":
		return s.reply(257, `"/"`)
	case "CWD":
		if argument != "/" && argument != "." {
			return s.reply(550, "there is one directory")
		}
		return s.reply(250, "ok")
	case "EPSV", "PASV":
		return s.openPassive(verb)
	case "REST":
		return s.rest(argument)
	}
	return s.serveFile(verb, argument, from, offset)
}

func (s *session) logIn(secret string) error {
	name := subtle.ConstantTimeCompare([]byte(s.user), []byte(s.server.cfg.Name))
	if name&subtle.ConstantTimeCompare([]byte(secret), []byte(s.server.cfg.Secret)) != 1 {
		return s.reply(530, "not logged in")
	}
	s.in = true
	return s.reply(230, "logged in")
}

func (s *session) rest(argument string) error {
	n, err := strconv.ParseInt(argument, 10, 64)
	if err != nil || n < 0 {
		return s.reply(501, "no offset")
	}
	s.offset = n
	return s.reply(350, "from there on")
}

// serveFile serves the commands that are about one file.
func (s *session) serveFile(verb, argument, from string, offset int64) error {
	name := strings.TrimPrefix(argument, "/")
	switch verb {
	case "STOR", "RETR", "SIZE", "DELE", "RNFR", "RNTO":
		if !fileName(name) {
			s.noPassive()
			return s.reply(553, "no name for a file")
		}
	}
	switch verb {
	case "STOR":
		if offset != 0 {
			s.noPassive()
			return s.reply(504, "files are written whole")
		}
		return s.transfer(func(data net.Conn) (int, error) { return s.store(name, data) })
	case "RETR":
		f, err := s.server.root.Open(name)
		if err != nil {
			s.noPassive()
			return s.reply(550, "no such file")
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			offset = min(offset, info.Size()) // nothing is what comes after the end
		}
		return s.transfer(func(data net.Conn) (int, error) { return s.send(data, f, offset) })
	case "SIZE":
		info, err := s.server.root.Stat(name)
		if err != nil {
			return s.reply(550, "no such file")
		}
		return s.reply(213, strconv.FormatInt(info.Size(), 10))
	case "DELE":
		if s.server.remove(name, nil) != nil {
			return s.reply(550, "no such file")
		}
		return s.reply(250, "deleted")
	case "RNFR":
		if _, err := s.server.root.Stat(name); err != nil {
			return s.reply(550, "no such file")
		}
		s.from = name
		return s.reply(350, "to what?")
	case "RNTO":
		if from == "" {
			return s.reply(503, "rename what?")
		}
		if s.server.rename(from, name) != nil {
			return s.reply(553, "not renamed")
		}
		return s.reply(250, "renamed")
	}
	return s.reply(502, "not here")
}

// openPassive listens for the next transfer's data, in place of what was listening.
func (s *session) openPassive(verb string) error {
	s.noPassive()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil || !s.server.keep(l) {
		return s.reply(425, "no port for data")
	}
	s.passive = l
	port := l.Addr().(*net.TCPAddr).Port
	if verb == "EPSV" {
		return s.reply(229, fmt.Sprintf("Entering Extended Passive Mode (|||%d|)", port))
	}
	return s.reply(227, fmt.Sprintf("Entering Passive Mode (127,0,0,1,%d,%d)", port>>8, port&0xff))
}

// noPassive stops to listen for data.
func (s *session) noPassive() {
	if s.passive != nil {
		s.server.drop(s.passive)
		s.passive = nil
	}
}

// transfer takes the connection for data and has it used. What do returns is the
// reply, or without a code an error.
func (s *session) transfer(do func(data net.Conn) (code int, err error)) error {
	if s.passive == nil {
		return s.reply(425, "passive mode only")
	}
	by := time.Now().Add(s.server.cfg.DataWait)
	_ = s.passive.(*net.TCPListener).SetDeadline(by) // one that is closed does not accept either
	data, err := s.passive.Accept()
	s.noPassive()
	if err != nil || !s.server.keep(data) {
		return s.reply(425, "no connection for data")
	}
	defer s.server.drop(data)
	if err := s.reply(150, "go ahead"); err != nil {
		return err
	}
	code, err := do(data)
	s.server.drop(data) // before the reply: its end is what the client waits for first
	if err != nil {
		return s.reply(code, err.Error())
	}
	return s.reply(code, "done")
}

// send sends a file from an offset on.
func (s *session) send(data net.Conn, f *os.File, offset int64) (int, error) {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 451, errors.New("cannot read there")
	}
	if _, err := io.Copy(data, f); err != nil {
		return 426, errors.New("the connection for data was closed")
	}
	return 226, nil
}

// store writes a new file. One that cannot be written whole goes away.
func (s *session) store(name string, data net.Conn) (int, error) {
	f, out, err := s.server.create(name)
	if err != nil {
		return 553, errors.New("cannot make such a file")
	}
	w := &upload{server: s.server, file: f, out: out}
	_, err = io.Copy(w, data)
	if closed := out.Close(); err == nil {
		err, w.err = closed, closed
	}
	if err == nil {
		return 226, nil
	}
	_ = s.server.remove(name, f) // it may have been deleted, or renamed by somebody who was too early
	switch {
	case errors.Is(err, errFull):
		return 552, err
	case w.err != nil:
		return 451, errors.New("cannot write")
	}
	return 426, errors.New("the connection for data was lost")
}

// An upload takes the bytes that are written to a file from what the server may
// keep.
type upload struct {
	server *Server
	file   *file
	out    io.Writer
	err    error
}

func (u *upload) Write(p []byte) (int, error) {
	if u.err = u.server.grow(u.file, int64(len(p))); u.err != nil {
		return 0, u.err
	}
	var n int
	n, u.err = u.out.Write(p)
	return n, u.err
}
