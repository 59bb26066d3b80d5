// Two judges of a log's folder that share no code with the product: golang.org/x/mod's sumdb/note and sumdb/tlog, which
// read tiles from the root down, and the fsck package of Tessera. Usage: judge xmod|fsck|proof FOLDER VKEY [PROOF ENTRY],
// or, for both judges on many logs: judge every VKEY FOLDER...
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println("accepted")
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: judge xmod|fsck|proof FOLDER VKEY [PROOF ENTRY]")
	}
	if args[0] == "every" {
		return judgeEvery(args[1], args[2:])
	}
	verifier, err := note.NewVerifier(args[2])
	if err != nil {
		return err
	}
	switch args[0] {
	case "xmod":
		return judgeByMod(args[1], verifier)
	case "fsck":
		return judgeByFsck(args[1], verifier)
	case "proof":
		return judgeProof(args[3], args[4], verifier)
	}
	return fmt.Errorf("no judge %q", args[0])
}

func judgeEvery(vkey string, folders []string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := judgeByMod(folder, verifier); err != nil {
			return fmt.Errorf("%s: xmod: %w", folder, err)
		}
		if err := judgeByFsck(folder, verifier); err != nil {
			return fmt.Errorf("%s: fsck: %w", folder, err)
		}
	}
	return nil
}

// treeOf opens a checkpoint; tlog.ParseTree knows only its own first line, which stands in for the origin.
func treeOf(checkpoint []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("origin %q is not %q", origin, verifier.Name())
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

type tileReader struct{ folder string }

func (r tileReader) Height() int { return 8 }

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(r.folder, pathOf(tile)))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func pathOf(tile tlog.Tile) string {
	path := tile.Path()
	path = strings.Replace(path, "tile/8/data/", "tile/entries/", 1)
	return strings.Replace(path, "tile/8/", "tile/", 1)
}

func judgeByMod(folder string, verifier note.Verifier) error {
	checkpoint, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := treeOf(checkpoint, verifier)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tileReader{folder})
	for start := int64(0); start < tree.N; start += 256 {
		width := min(256, int(tree.N-start))
		tile := tlog.Tile{H: 8, L: -1, N: start / 256, W: width}
		bundle, err := os.ReadFile(filepath.Join(folder, pathOf(tile)))
		if err != nil {
			return err
		}
		for i := range width {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("%s ends inside entry %d", pathOf(tile), i)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			bundle = bundle[end:]
			index := start + int64(i)
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
		if len(bundle) != 0 {
			return fmt.Errorf("%s has more than %d entries", pathOf(tile), width)
		}
	}
	return nil
}

// judgeByFsck counts what does not end as refused.
func judgeByFsck(folder string, verifier note.Verifier) error {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	root := &url.URL{Scheme: "file", Path: absolute}
	leaves := func(bundle []byte) ([][]byte, error) {
		var entries api.EntryBundle
		if err := entries.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		hashes := make([][]byte, 0, len(entries.Entries))
		for _, entry := range entries.Entries {
			hash := tlog.RecordHash(entry)
			hashes = append(hashes, hash[:])
		}
		return hashes, nil
	}
	done := make(chan error, 1)
	go func() {
		fetcher := client.FileFetcher{Root: root.Path}
		done <- fsck.New(verifier.Name(), verifier, fetcher, leaves, fsck.Opts{N: 2}).Check(context.Background())
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		return errors.New("fsck did not end")
	}
}

// judgeProof verifies a C2SP tlog-proof of the entry in a file.
func judgeProof(proofFile, entryFile string, verifier note.Verifier) error {
	text, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		return err
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return fmt.Errorf("not a hash: %q", line)
		}
		proof = append(proof, tlog.Hash(hash))
	}
	tree, err := treeOf(checkpoint, verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
