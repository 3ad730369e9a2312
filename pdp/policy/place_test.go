package policy

import "testing"

func TestPlacesOfPolicies(t *testing.T) {
	e, err := Load(map[string][]byte{
		"a.cedar": []byte("// first\n@id(\"one\")\npermit (principal, action, resource);\n"),
		"b.cedar": []byte("@id(\"two\")\npermit (principal, action, resource);\n\n@id(\"three\")\npermit (principal, action, resource);\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		file string
		line int
	}
	for id, want := range map[string]place{"one": {"a.cedar", 2}, "two": {"b.cedar", 1}, "three": {"b.cedar", 4}, "four": {}} {
		if file, line := e.Place(id); (place{file, line}) != want {
			t.Errorf("%s: %s:%d, not %v", id, file, line, want)
		}
	}
}
