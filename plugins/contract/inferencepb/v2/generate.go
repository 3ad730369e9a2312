// Package inferencev2 is generated from inference_v2.proto. `go generate` needs
// protoc (Debian: protobuf-compiler), protoc-gen-go and protoc-gen-go-grpc on
// the path.
package inferencev2

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative inference_v2.proto
//go:generate protoc --python_out=../../../../examples/plugin-python inference_v2.proto
