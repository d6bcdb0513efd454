package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCreateLosesTheCapabilityAndTheNegativeScoreAndKeepsTheRest(t *testing.T) {
	bundle := t.TempDir()
	path := filepath.Join(bundle, "config.json")
	before := `{"ociVersion":"1.0.2","process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"]},` +
		`"oomScoreAdj":-998,"rlimits":[{"hard":18446744073709551615}]}}`
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare([]string{"--root", "/run/x", "create", "--bundle", bundle, "some-id"}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ociVersion":"1.0.2","process":{"capabilities":{"bounding":["CAP_CHOWN"]},` +
		`"rlimits":[{"hard":18446744073709551615}]}}`
	if string(after) != want {
		t.Fatalf("got %s, want %s", after, want)
	}
}

func TestArguments(t *testing.T) {
	cases := map[string]struct {
		arguments []string
		want      call
	}{
		"create":         {[]string{"--log", "x", "create", "-b", "/b", "id"}, call{"create", "/b", ""}},
		"joined":         {[]string{"run", "--bundle=/b", "id"}, call{"run", "/b", ""}},
		"exec":           {[]string{"exec", "--process", "/p", "id"}, call{"exec", ".", "/p"}},
		"starts nothing": {[]string{"state", "id"}, call{"", ".", ""}},
	}
	for name, test := range cases {
		if got := parse(test.arguments); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestOnlyABoundingSetWithTheBitGrants(t *testing.T) {
	cases := map[string]bool{
		"Name:\tx\nCapBnd:\t000001ffffffffff\n": true,
		"Name:\tx\nCapBnd:\t000001fffeffffff\n": false,
		"Name:\tx\n":                            false,
	}
	for status, want := range cases {
		if got := grants([]byte(status)); got != want {
			t.Errorf("%q: got %v, want %v", status, got, want)
		}
	}
}
