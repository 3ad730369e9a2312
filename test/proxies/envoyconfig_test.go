package proxies

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // a type that the configuration names
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3" // another
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"        // another
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// envoyConfig reads a configuration as Envoy does: YAML is JSON, JSON is the
// message, and an unknown field or a wrong type is an error.
func envoyConfig(t *testing.T, file string) *bootstrapv3.Bootstrap {
	t.Helper()
	raw, err := os.ReadFile(file) // #nosec G304 -- the shipped file, or its copy
	check(t, err)
	var tree any
	check(t, yaml.Unmarshal(raw, &tree))
	text, err := json.Marshal(tree)
	check(t, err)
	config := &bootstrapv3.Bootstrap{}
	check(t, protojson.Unmarshal(text, config))
	return config
}

// eachMessage calls f with a message and all within it, those in an Any too.
func eachMessage(t *testing.T, m protoreflect.Message, f func(proto.Message)) {
	t.Helper()
	f(m.Interface())
	if packed, ok := m.Interface().(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		check(t, err)
		eachMessage(t, inner.ProtoReflect(), f)
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsMap():
			value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				if field.MapValue().Message() != nil {
					eachMessage(t, v.Message(), f)
				}
				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				eachMessage(t, value.List().Get(i).Message(), f)
			}
		default:
			eachMessage(t, value.Message(), f)
		}
		return true
	})
}

// The shipped configuration is one that Envoy's own types take, with the
// constraints that they carry.
func TestEnvoyConfigurationIsValid(t *testing.T) {
	t.Parallel()
	seen := 0
	eachMessage(t, envoyConfig(t, filepath.Join(shipped("envoy"), "envoy.yaml")).ProtoReflect(), func(m proto.Message) {
		seen++
		if v, ok := m.(interface{ ValidateAll() error }); ok {
			if err := v.ValidateAll(); err != nil {
				t.Errorf("%s: %v", m.ProtoReflect().Descriptor().FullName(), err)
			}
		}
	})
	if seen < 100 {
		t.Error("only", seen, "messages were looked at")
	}
}

// What would open the door is not in it.
func TestEnvoyConfigurationIsClosed(t *testing.T) {
	t.Parallel()
	asked := 0
	eachMessage(t, envoyConfig(t, filepath.Join(shipped("envoy"), "envoy.yaml")).ProtoReflect(), func(m proto.Message) {
		switch m := m.(type) {
		case *authzv3.ExtAuthz:
			asked++
			if m.GetFailureModeAllow() || m.GetFilterEnabled() != nil || m.GetFilterEnabledMetadata() != nil || m.GetDenyAtDisable() != nil || m.GetShadowMode() || m.GetClearRouteCache() ||
				m.GetAllowedHeaders() != nil || m.GetDisallowedHeaders() != nil || m.GetEncodeRawHeaders() || m.GetDecoderHeaderMutationRules() != nil || m.GetHttpService() != nil {
				t.Error("requests could pass unasked, or with headers of the client's:", m)
			}
		case *hcmv3.HttpConnectionManager:
			if m.GetStatPrefix() == "portal" && (!m.GetUseRemoteAddress().GetValue() || m.GetXffNumTrustedHops() != 0 || !m.GetNormalizePath().GetValue() ||
				m.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() == 0 || len(m.GetUpgradeConfigs()) != 0) {
				t.Error("clients are believed, or upgraded:", m)
			}
		}
	})
	if asked != 1 {
		t.Error("the question is asked in", asked, "places")
	}
	raw, err := os.ReadFile(filepath.Join(shipped("envoy"), "envoy.yaml"))
	check(t, err)
	if n := strings.Count(string(raw), "disabled: true"); n != 1 {
		t.Error("the question is left out in", n, "places")
	}
}
