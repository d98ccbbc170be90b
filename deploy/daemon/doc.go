// Package daemon has the commands that run a node from its configuration file: an edge node, or a node
// of the centre. They end by a signal, and with an error when the node ends by itself.
//
// With --check nothing is opened and nothing is bound: the file is read, the files that it names are
// looked at, and the settings that would run are printed as YAML, which can be read again. Secrets are
// paths in there, so none is printed.
package daemon
