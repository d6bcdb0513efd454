// Command runc-capped is runc for hosts that cannot grant CAP_SYS_RESOURCE; elsewhere it just becomes runc.
//
// A "privileged" container asks for every capability, and Kubernetes asks for negative OOM scores; where the host's
// own bounding set lacks CAP_SYS_RESOURCE, runc refuses both. This wrapper takes that one capability and negative
// scores out of the OCI bundle (create, run, restore) or out of the process file (exec), then becomes runc. It is
// named as an OCI runtime in Docker's daemon.json and in the node's containerd configuration.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	withheld    = "CAP_SYS_RESOURCE"
	withheldBit = 24
)

type object = map[string]any

func main() {
	arguments := os.Args[1:]
	if status, err := os.ReadFile("/proc/self/status"); err != nil || !grants(status) {
		if err := prepare(arguments); err != nil {
			fmt.Fprintln(os.Stderr, "runc-capped:", err)
			os.Exit(1)
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		fmt.Fprintln(os.Stderr, "runc-capped:", err)
		os.Exit(1)
	}
	err = syscall.Exec(runc, append([]string{"runc"}, arguments...), os.Environ())
	fmt.Fprintln(os.Stderr, "runc-capped: exec", runc, err)
	os.Exit(1)
}

// grants tells from a /proc/<pid>/status whether the bounding set holds the capability.
func grants(status []byte) bool {
	for line := range strings.Lines(string(status)) {
		if hex, found := strings.CutPrefix(line, "CapBnd:"); found {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && set>>withheldBit&1 == 1
		}
	}
	return false
}

// prepare rewrites the file that holds the process which these arguments will start, if they start one.
func prepare(arguments []string) error {
	call := parse(arguments)
	switch {
	case call.verb == "exec" && call.process != "":
		return rewrite(call.process, func(document object) { limit(document) })
	case call.verb == "create" || call.verb == "run" || call.verb == "restore":
		return rewrite(filepath.Join(call.bundle, "config.json"), func(document object) {
			if process, ok := document["process"].(object); ok {
				limit(process)
			}
		})
	}
	return nil
}

// limit removes from a process what the host cannot grant.
func limit(process object) {
	if sets, ok := process["capabilities"].(object); ok {
		for name, set := range sets {
			if list, ok := set.([]any); ok {
				sets[name] = without(list)
			}
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok {
		if value, err := score.Int64(); err == nil && value < 0 {
			delete(process, "oomScoreAdj")
		}
	}
}

func without(capabilities []any) []any {
	kept := make([]any, 0, len(capabilities))
	for _, capability := range capabilities {
		if capability != withheld {
			kept = append(kept, capability)
		}
	}
	return kept
}

// rewrite changes a JSON document in place; numbers keep their spelling.
func rewrite(path string, change func(object)) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var document object
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(document)
	changed, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(path, changed, 0o600)
}
