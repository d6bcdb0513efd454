package main

import "strings"

// call is what matters of runc's command line.
type call struct{ verb, bundle, process string }

var verbs = map[string]bool{"create": true, "run": true, "restore": true, "exec": true}

// parse finds runc's verb and the values of --bundle and --process, in either spelling (--bundle X, --bundle=X, -b X).
func parse(arguments []string) call {
	found := call{bundle: "."}
	for index := 0; index < len(arguments); index++ {
		name, value, joined := strings.Cut(arguments[index], "=")
		if !joined && index+1 < len(arguments) {
			value = arguments[index+1]
		}
		switch {
		case found.verb == "" && verbs[name]:
			found.verb = name
		case name == "--bundle" || (name == "-b" && found.verb != ""):
			found.bundle = value
		case found.verb == "exec" && (name == "--process" || name == "-p"):
			found.process = value
		}
	}
	return found
}
