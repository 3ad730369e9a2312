package examples

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
	"github.com/menshen-zt/menshen/plugins/contracttest"
)

// A useful plugin is under 100 lines of Go.
func TestAPluginInGoIsShort(t *testing.T) {
	files, err := Plugin(Go, "mine")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(files["main.go"], []byte("\n")); lines == 0 || lines >= 100 {
		t.Errorf("%d lines", lines)
	}
	if bytes.Contains(files["main.go"], []byte("plugin-go")) || !bytes.Contains(files["main.go"], []byte(`"mine"`)) {
		t.Error("it has another name")
	}
}

func TestThereAreTwoLanguages(t *testing.T) {
	for _, language := range []string{"", "cobol", "../plugin-go", "go/"} {
		if files, err := Plugin(language, "mine"); err != nil || files != nil {
			t.Errorf("%q: %d files, %v", language, len(files), err)
		}
	}
}

func TestThePluginInPythonPassesTheSuite(t *testing.T) {
	contracttest.Run(t, python(t))
}

// python is the example as one file that can be started.
func python(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin-python")
	build := exec.Command("/usr/bin/python3", "-m", "zipapp", "plugin-python", "-p", "/usr/bin/python3 -I", "-o", program)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// What Python speaks was generated from the contract as it is.
func TestPythonKnowsTheWholeContract(t *testing.T) {
	out, err := exec.Command("/usr/bin/python3", "-B", "-c",
		"import sys; sys.path.insert(0, 'plugin-python'); import inference_v2_pb2 as pb; sys.stdout.buffer.write(pb.DESCRIPTOR.serialized_pb)").Output()
	if err != nil {
		t.Fatal(err)
	}
	inPython := new(descriptorpb.FileDescriptorProto)
	if err := proto.Unmarshal(out, inPython); err != nil {
		t.Fatal(err)
	}
	inGo := protodesc.ToFileDescriptorProto(inferencev2.File_inference_v2_proto)
	dropJSONNames(inGo.GetMessageType()) // Python's descriptor has none
	if !proto.Equal(inGo, inPython) {
		t.Error("run go generate: inference_v2_pb2.py is of another contract")
	}
}

func dropJSONNames(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		for _, field := range m.GetField() {
			field.JsonName = nil
		}
		dropJSONNames(m.GetNestedType())
	}
}

// The contract is one: the same plugin says the same in either language.
func TestBothLanguagesSayTheSame(t *testing.T) {
	inGo := filepath.Join(t.TempDir(), "plugin-go")
	build := exec.Command("go", "build", "-o", inGo, "./plugin-go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, second := contracttest.Judged(t, inGo), contracttest.Judged(t, python(t))
	if len(first) == 0 || len(first) != len(second) {
		t.Fatalf("%d and %d verdicts", len(first), len(second))
	}
	for i, a := range first {
		b := second[i]
		if math.Abs(a.LLR-b.LLR) > 1e-12 || a.Confidence != b.Confidence || a.Abstained != b.Abstained || a.Reasons[0].Code != b.Reasons[0].Code {
			t.Errorf("%d: %+v in Go, %+v in Python", i, a, b)
		}
	}
}
