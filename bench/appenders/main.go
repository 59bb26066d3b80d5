// The peer of the ledger's bench: appenders in a closed loop on Tessera's POSIX driver. An entry counts when a signed
// checkpoint that covers it is on the disk. Usage: appenders FOLDER APPENDERS SECONDS; answers with one JSON document.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const entrySize = 1024

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	appenders, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(os.Args[3], 64)
	if err != nil {
		return err
	}
	secret, _, err := note.GenerateKey(rand.Reader, "peer/log")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	ctx := context.Background()
	driver, err := posix.New(ctx, posix.Config{Path: os.Args[1]})
	if err != nil {
		return err
	}
	// The driver refuses intervals below 100 ms. A batch is cut when all appenders are in it, or after 10 ms.
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(uint(appenders), 10*time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	published := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)

	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	var all sync.WaitGroup
	var lock sync.Mutex
	var waits []float64
	var failed error
	for range appenders {
		all.Go(func() {
			var mine []float64
			for time.Now().Before(end) {
				entry := make([]byte, entrySize)
				rand.Read(entry)
				from := time.Now()
				if _, _, err := published.Await(ctx, appender.Add(ctx, tessera.NewEntry(entry))); err != nil {
					lock.Lock()
					failed = err
					lock.Unlock()
					return
				}
				mine = append(mine, float64(time.Since(from).Microseconds())/1000)
			}
			lock.Lock()
			waits = append(waits, mine...)
			lock.Unlock()
		})
	}
	all.Wait()
	taken := time.Since(start).Seconds()
	if failed != nil {
		return failed
	}
	if err := shutdown(ctx); err != nil {
		return err
	}
	slices.Sort(waits)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"entries": len(waits),
		"seconds": taken,
		"p50":     waits[len(waits)/2],
		"p99":     waits[len(waits)*99/100],
	})
}
