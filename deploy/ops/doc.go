// Package ops is central ops' command line, and the client of the centre's admin API behind it.
package ops
