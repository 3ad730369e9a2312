package proxies

import (
	"bufio"
	"io"
	"net/http"
	"sync"
)

// arrival is one request as the application got it.
type arrival struct {
	method, uri, host string
	header            http.Header
	body              string
}

// application stands behind the proxy and remembers what arrives.
type application struct {
	arrivals sync.Mutex
	list     []arrival
}

func (a *application) take() []arrival {
	a.arrivals.Lock()
	defer a.arrivals.Unlock()
	list := a.list
	a.list = nil
	return list
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		raw = []byte(err.Error())
	}
	a.arrivals.Lock()
	a.list = append(a.list, arrival{r.Method, r.RequestURI, r.Host, r.Header, string(raw)})
	a.arrivals.Unlock()
	switch {
	case r.Header.Get("Upgrade") != "":
		echo(w, r)
	case r.URL.Path == "/own-401":
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "the application's own")
	case r.URL.Path == "/own-403":
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "the application's own")
	default:
		_, _ = io.WriteString(w, "application "+r.RequestURI)
	}
}

// echo opens a WebSocket and sends each line back.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+accept(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	for lines := bufio.NewReader(both); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, "echo "+line); err != nil {
			return
		}
	}
}
