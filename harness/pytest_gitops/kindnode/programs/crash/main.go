// Command crash says why and ends with exit code 7: a container that never comes up.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "fatal: no configuration in /etc/app, giving up")
	os.Exit(7)
}
