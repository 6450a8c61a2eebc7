// Verifies a log of ours with code that is not ours: golang.org/x/mod for notes, tiles and trees, and
// transparency-dev/formats for cosignatures and tlog-proof files.
//
//	log-tools <folder> <log vkey> <witness vkey>
//
// The folder has what a log serves (checkpoint, tile/…), cosigned (a checkpoint with a cosignature),
// and receipt (an entry) with receipt.tlog-proof. Each check says what it found on a line of its own;
// the first that fails ends the program with code 1.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	cosig "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: log-tools <folder> <log vkey> <witness vkey>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder, logKey, witnessKey string) error {
	verifier, err := note.NewVerifier(logKey)
	if err != nil {
		return fmt.Errorf("log vkey: %w", err)
	}
	tree, err := openCheckpoint(folder, "checkpoint", verifier)
	if err != nil {
		return err
	}
	fmt.Printf("checkpoint of %d entries\n", tree.N)

	hashes := tlog.TileHashReader(tree, served{folder})
	if err := checkEntries(folder, tree, hashes); err != nil {
		return err
	}
	fmt.Printf("every entry is in the tree\n")

	old, err := openCheckpoint(folder, "cosigned", verifier)
	if err != nil {
		return err
	}
	consistency, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	if err := tlog.CheckTree(consistency, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	fmt.Printf("consistent with the first %d\n", old.N)

	witness, err := cosig.NewVerifierForCosignatureV1(witnessKey)
	if err != nil {
		return fmt.Errorf("witness vkey: %w", err)
	}
	if _, err := openCheckpoint(folder, "cosigned", witness); err != nil {
		return err
	}
	fmt.Printf("cosigned by %s\n", witness.Name())

	index, err := checkProof(folder, verifier)
	if err != nil {
		return err
	}
	fmt.Printf("the receipt is entry %d\n", index)
	return nil
}

// openCheckpoint reads a note that the verifier's key signed.
func openCheckpoint(folder, name string, by note.Verifier) (tlog.Tree, error) {
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return tlog.Tree{}, err
	}
	return parseCheckpoint(data, by)
}

func parseCheckpoint(data []byte, by note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(by))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	// tlog.ParseTree wants the origin of the Go checksum database, so the lines are read here.
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, fmt.Errorf("checkpoint: too few lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// checkEntries proves each entry of the bundles, by its own hash, with tiles that x/mod verified.
func checkEntries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 1 << height {
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: int(min(1<<height, tree.N-first))}
		path := strings.Replace(pathOf(tile), "tile/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		for i := range int64(tile.W) {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return fmt.Errorf("%s: entry %d is cut off", path, i)
			}
			length := int(bundle[0])<<8 + int(bundle[1])
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			inclusion, err := tlog.ProveRecord(tree.N, first+i, hashes)
			if err != nil {
				return fmt.Errorf("entry %d: %w", first+i, err)
			}
			leaf := tlog.RecordHash(entry)
			if err := tlog.CheckRecord(inclusion, tree.N, tree.Hash, first+i, leaf); err != nil {
				return fmt.Errorf("entry %d: %w", first+i, err)
			}
		}
		if len(bundle) > 0 {
			return fmt.Errorf("%s: there is more after the last entry", path)
		}
	}
	return nil
}

// checkProof takes the file apart with transparency-dev/formats, and verifies it with x/mod.
func checkProof(folder string, verifier note.Verifier) (uint64, error) {
	entry, err := os.ReadFile(filepath.Join(folder, "receipt"))
	if err != nil {
		return 0, err
	}
	data, err := os.ReadFile(filepath.Join(folder, "receipt.tlog-proof"))
	if err != nil {
		return 0, err
	}
	var file proof.TLogProof
	if err := file.Unmarshal(data); err != nil {
		return 0, fmt.Errorf("proof: %w", err)
	}
	if again := file.Marshal(); !bytes.Equal(again, data) {
		return 0, fmt.Errorf("proof: it would be written otherwise:\n%s", again)
	}
	tree, err := parseCheckpoint(file.Checkpoint, verifier)
	if err != nil {
		return 0, err
	}
	inclusion := make(tlog.RecordProof, len(file.Hashes))
	for i, hash := range file.Hashes {
		inclusion[i] = tlog.Hash(hash)
	}
	leaf := tlog.RecordHash(entry)
	if err := tlog.CheckRecord(inclusion, tree.N, tree.Hash, int64(file.Index), leaf); err != nil {
		return 0, fmt.Errorf("proof: %w", err)
	}
	return file.Index, nil
}

// served reads tiles where a log of C2SP tlog-tiles has them; x/mod verifies what it is given.
type served struct{ folder string }

func (served) Height() int { return height }

func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := os.ReadFile(filepath.Join(s.folder, pathOf(tile)))
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

func (served) SaveTiles([]tlog.Tile, [][]byte) {}

// pathOf: the Go checksum database names the height of its tiles, C2SP has but one.
func pathOf(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}
