// Command web is a server to test with: it answers on PORT (8080) with its Pod's name, on /healthz with 200 unless
// UNWELL says what is wrong. `web once` ends well; `web get URL` is a client.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "once" {
		fmt.Println("done")
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "get" {
		get(os.Args[2])
		return
	}
	name, _ := os.Hostname()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "hello from %s\n", name) })
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if why := os.Getenv("UNWELL"); why != "" {
			http.Error(w, why, http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "well")
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	fmt.Printf("%s listens on %s\n", name, port)
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":"+port, nil))
	os.Exit(1)
}

func get(url string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Printf("%d %s", answer.StatusCode, body)
}
