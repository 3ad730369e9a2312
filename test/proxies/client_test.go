package proxies

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1" // #nosec G505 -- RFC 6455, 4.2.2, computes the accept key with it
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answer is what a client got; its zero value says that the proxy ended the
// connection or the stream without an answer.
type answer struct {
	status int
	header http.Header
	text   string
}

// page is what a browser sends for a document.
var page = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Accept", "text/html"}

// script is what it sends for a script of the page /form.
var script = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Accept", "*/*", "Referer", hr.Origin + "/form"}

// with joins lists of header names and values.
func with(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func (g *gate) tls(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: host, NextProtos: []string{protocol}} // #nosec G402 -- the test's own proxy
}

// dial opens a connection that ends by itself if nothing happens on it.
func (g *gate) dial(protocol string) *tls.Conn {
	g.t.Helper()
	dialer := tls.Dialer{Config: g.tls(protocol)}
	ctx, done := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer done()
	conn, err := dialer.DialContext(ctx, "tcp", g.site.address)
	check(g.t, err)
	check(g.t, conn.SetDeadline(time.Now().Add(cmp.Or(g.proxy.clients, 30*time.Second))))
	return conn.(*tls.Conn)
}

// send is one request over HTTP/1.1 from the client at 127.0.0.1, with method,
// target and header byte for byte as they stand here.
func (g *gate) send(method, target, body string, header ...string) answer {
	g.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&text, "%s: %s\r\n", header[i], header[i+1])
	}
	if body != "" || method == http.MethodPost {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	got := g.raw(text.String() + "Connection: close\r\n\r\n" + body)
	if got.status == 0 {
		g.t.Errorf("%s %.80q has no answer", method, target)
	}
	return got
}

// raw sends bytes and returns the first answer to them.
func (g *gate) raw(text string) answer {
	g.t.Helper()
	conn := g.dial("http/1.1")
	defer conn.Close()
	// A proxy may answer, and close, before it has read all.
	_, _ = io.WriteString(conn, text)
	method, _, _ := strings.Cut(text, " ")
	return receive(bufio.NewReaderSize(conn, 64<<10), method)
}

func receive(from *bufio.Reader, method string) answer {
	r, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		return answer{}
	}
	if r.StatusCode == http.StatusSwitchingProtocols {
		return answer{r.StatusCode, r.Header, ""}
	}
	body, _ := io.ReadAll(r.Body)
	return answer{r.StatusCode, r.Header, string(body)}
}

// send2 is one request over HTTP/2.
func (g *gate) send2(method, target, body string, header ...string) answer {
	g.t.Helper()
	return g.fields2(body, with([]string{":method", method, ":scheme", "https", ":authority", host, ":path", target}, header)...)
}

// fields2 sends fields as they stand here, which no client's library would.
func (g *gate) fields2(body string, fields ...string) answer {
	g.t.Helper()
	conn := g.dial("h2")
	defer conn.Close()
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		g.t.Fatal("the proxy does not speak HTTP/2")
	}
	_, _ = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, bufio.NewReader(conn))
	framer.ReadMetaHeaders = hpack.NewDecoder(65536, nil)
	framer.MaxHeaderListSize = 1 << 20
	check(g.t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		check(g.t, encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	for first := true; first || block.Len() > 0; first = false {
		part := block.Next(16 << 10)
		if first {
			check(g.t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: part, EndHeaders: block.Len() == 0, EndStream: body == ""}))
			continue
		}
		check(g.t, framer.WriteContinuation(1, block.Len() == 0, part))
	}
	if body != "" {
		_ = framer.WriteData(1, true, []byte(body))
	}
	return receive2(framer)
}

// receive2 reads the frames of stream 1.
func receive2(framer *http2.Framer) answer {
	got := answer{header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return answer{}
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			got.status, _ = strconv.Atoi(f.PseudoValue("status"))
			for _, field := range f.RegularFields() {
				got.header.Add(field.Name, field.Value)
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			got.text += string(f.Data())
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			if got.status != 0 && f.ErrCode == http2.ErrCodeNo {
				return got // answered before the request's body was read
			}
			return answer{}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return answer{}
			}
		}
		if err != nil {
			return answer{}
		}
		if ended {
			return got
		}
	}
}

// socket is an open WebSocket; its lines are echoed.
type socket struct {
	conn net.Conn
	from *bufio.Reader
}

// key is of RFC 6455, 1.3.
const key = "dGhlIHNhbXBsZSBub25jZQ=="

func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // #nosec G401 -- RFC 6455, 4.2.2
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgrade sends a GET that asks for an upgrade; the socket is there after 101.
func (g *gate) upgrade(cookie, to string, header ...string) (answer, *socket) {
	g.t.Helper()
	conn := g.dial("http/1.1")
	g.t.Cleanup(func() { _ = conn.Close() })
	text := fmt.Sprintf("GET /ws HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", host, cookie, to, key)
	for i := 0; i < len(header); i += 2 {
		text += header[i] + ": " + header[i+1] + "\r\n"
	}
	_, err := io.WriteString(conn, text+"\r\n")
	check(g.t, err)
	from := bufio.NewReader(conn)
	return receive(from, http.MethodGet), &socket{conn, from}
}

// echoes sends a line and waits for it to come back.
func (s *socket) echoes(line string) error {
	if _, err := io.WriteString(s.conn, line+"\n"); err != nil {
		return err
	}
	got, err := s.from.ReadString('\n')
	if err == nil && got != "echo "+line+"\n" {
		err = fmt.Errorf("got %q", got)
	}
	return err
}

// cookieOf returns a cookie that was set, as a client sends it back.
func (g *gate) cookieOf(a answer, name string) string {
	g.t.Helper()
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				g.t.Fatalf("cookie %s: %s", name, c.Raw)
			}
			return name + "=" + c.Value
		}
	}
	g.t.Fatalf("no cookie %s in %d %v", name, a.status, a.header)
	return ""
}

// signedIn goes the whole way through the proxy and returns the session cookie
// and where the browser was led in the end.
func (g *gate) signedIn(target string, header ...string) (cookie, back string) {
	g.t.Helper()
	refused := g.send("GET", target, "", with(page, header)...)
	if refused.status != http.StatusSeeOther {
		g.t.Fatalf("%.80s: %d %s", target, refused.status, refused.text)
	}
	pre := g.cookieOf(refused, "__Host-menshen-pre")
	code, _ := g.signIn(refused.header.Get("Location"))
	ended := g.send("GET", "/.menshen/callback?code="+code, "", with([]string{"Cookie", pre}, page)...)
	if ended.status != http.StatusSeeOther {
		g.t.Fatal(ended.status, ended.text)
	}
	return g.cookieOf(ended, "__Host-menshen-session"), ended.header.Get("Location")
}
