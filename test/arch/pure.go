package arch

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// purePackages give the same answer for the same arguments (rule 3).
var purePackages = []string{"internal/wire", "agent/evidence", "pdp/verifier", "pdp/policy", "pdp/trust/fusion"}

// pureLibrary is what of the standard library they may import: nothing here
// opens a file, a socket or a process, or keeps a clock or a random source
// that the caller did not give. What is missing is added after a look.
var pureLibrary = []string{
	"bytes", "cmp", "context", "embed", "encoding", "errors", "fmt", "hash", "io", "iter", "maps", "math/big", "math/bits",
	"net/netip", "net/url", "path", "reflect", "regexp", "slices", "sort", "strconv", "strings", "sync", "time", "unicode",
	"crypto", "crypto/aes", "crypto/cipher", "crypto/ecdh", "crypto/ecdsa", "crypto/ed25519", "crypto/elliptic", "crypto/hmac",
	"crypto/hkdf", "crypto/rsa", "crypto/sha1", "crypto/sha256", "crypto/sha512", "crypto/subtle", "crypto/x509", "math",
}

// pureFamilies are allowed with all that lies below them.
var pureFamilies = []string{"encoding", "hash", "unicode", "sync", "io/fs", "crypto/x509/pkix"}

// impure are the functions of allowed packages that reach for the clock, the
// machine or the terminal.
var impure = map[string][]string{
	"time":        {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"fmt":         {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"crypto/x509": {"SystemCertPool"},
}

// pure is rule 3, judged on direct imports and calls.
func pure(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		if !underAny(u.path, purePackages) {
			continue
		}
		for _, i := range u.imports {
			to := t.relative(i)
			switch {
			case t.standard(i) && (slices.Contains(pureLibrary, i) || underAny(i, pureFamilies)):
			case t.standard(i):
				found = append(found, u.path+" imports "+i)
			case u.path == "internal/wire":
				found = append(found, u.path+" imports "+to+" and not the standard library alone")
			case t.own(i) && !under(to, "internal") && !underAny(to, purePackages):
				found = append(found, u.path+" imports "+to)
			}
		}
		found = append(found, impureCalls(t, u)...)
	}
	return found
}

func impureCalls(t *tree, u *unit) []string {
	var found []string
	info := check(t, u)
	for _, file := range u.files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if from := importOf(info, n); slices.Contains(impure[from], n.Sel.Name) {
					found = append(found, t.at(u, n)+" uses "+from+"."+n.Sel.Name)
				}
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && strings.HasPrefix(name.Name, "print") {
					if _, builtin := info.Uses[name].(*types.Builtin); builtin {
						found = append(found, t.at(u, n)+" calls "+name.Name)
					}
				}
			case *ast.ImportSpec:
				if n.Name != nil && n.Name.Name == "." {
					found = append(found, t.at(u, n)+" imports into its own names, which hides where a call goes")
				}
			}
			return true
		})
	}
	return found
}

// verifyOptions is rule 3's last clause, for every package: no
// x509.VerifyOptions comes to be without Roots and CurrentTime.
func verifyOptions(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		if !slices.Contains(u.imports, "crypto/x509") {
			continue
		}
		info := check(t, u)
		isOptions := func(e ast.Expr) bool {
			s, ok := e.(*ast.SelectorExpr)
			return ok && s.Sel.Name == "VerifyOptions" && importOf(info, s) == "crypto/x509"
		}
		for _, file := range u.files {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					if isOptions(n.Type) {
						for _, key := range [...]string{"Roots", "CurrentTime"} {
							if !hasKey(n, key) {
								found = append(found, t.at(u, n)+" makes x509.VerifyOptions without "+key)
							}
						}
					}
				case *ast.ValueSpec:
					if n.Type != nil && isOptions(n.Type) && len(n.Values) == 0 {
						found = append(found, t.at(u, n)+" makes an empty x509.VerifyOptions")
					}
				case *ast.CallExpr:
					if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "new" && len(n.Args) == 1 && isOptions(n.Args[0]) {
						found = append(found, t.at(u, n)+" makes an empty x509.VerifyOptions")
					}
				}
				return true
			})
		}
	}
	return found
}

func hasKey(literal *ast.CompositeLit, key string) bool {
	return slices.ContainsFunc(literal.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		name, ok := pair.Key.(*ast.Ident)
		return ok && name.Name == key
	})
}
