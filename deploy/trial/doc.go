// Package trial owns nothing yet.
package trial
