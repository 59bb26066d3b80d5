/**
 * What an auditor runs who has nothing but a POSIX shell, openssl and coreutils. It is printed by `ledger prove --kit`, and
 * short enough to be read before it is believed. The key comes from elsewhere: one beside the proof proves nothing.
 */
export const AUDITOR_SCRIPT = `#!/bin/sh
# Checks that an entry is in a signed log. Usage: sh check.sh FOLDER VKEY
# FOLDER holds entry, proof (c2sp.org/tlog-proof@v1) and, for records of Sallyport, statement.json.
# VKEY is the log's verifier key, got from the side itself or from whoever vouches for it, never from FOLDER.
# Needs: sh, openssl 3, cat, cut, grep, head, mktemp, od, sed, sha256sum, tail, tr, wc.
set -eu
folder=$1 vkey=$(head -n 1 "$2")
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
fail() { echo "NOT PROVED: $1"; exit 1; }
base64d() { openssl base64 -d -A; }
# 1. The public key: SubjectPublicKeyInfo of Ed25519 is a fixed prefix and the last 32 bytes of the verifier key.
name=$(printf %s "$vkey" | cut -d+ -f1)
{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
  printf %s "$vkey" | cut -d+ -f3- | tr -d '\\n' | base64d | tail -c 32; } > "$work/key.der"
key() { openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$1" -sigfile "$2" > "$work/said" 2>&1; }
# 2. The checkpoint: three lines and a blank one, then a line for each signature.
[ "$(head -n 1 "$folder/proof")" = c2sp.org/tlog-proof@v1 ] || fail "this is no tlog-proof"
index=$(sed -n 's/^index \\([0-9][0-9]*\\)$/\\1/p;3q' "$folder/proof")
sed '1,/^$/d' "$folder/proof" > "$work/checkpoint"
head -n 3 "$work/checkpoint" > "$work/text"
size=$(sed -n 2p "$work/text") root=$(sed -n 3p "$work/text")
[ "$(sed -n 1p "$work/text")" = "$name" ] || fail "the checkpoint is of another log"
grep -F -e "$(printf '\\342\\200\\224') $name " "$work/checkpoint" | head -n 1 | cut -d' ' -f3 | tr -d '\\n' | base64d > "$work/line"
[ "$(head -c 4 "$work/line" | od -An -tx1 | tr -d ' \\n')" = "$(printf %s "$vkey" | cut -d+ -f2)" ] || fail "no signature is of this key"
tail -c +5 "$work/line" > "$work/signature"
key "$work/text" "$work/signature" || fail "the checkpoint is not signed by this key"
# 3. The path from the entry to the root (RFC 9162, section 2.1.3.2).
hash() { openssl dgst -sha256 -binary > "$work/next" && mv "$work/next" "$work/node"; }
{ printf '\\000'; cat "$folder/entry"; } | hash
[ "$index" -lt "$size" ] || fail "the entry is beyond the size"
fn=$index sn=$((size - 1))
sed '/^$/,$d' "$folder/proof" | tail -n +3 > "$work/path"
while read -r sibling; do
  printf %s "$sibling" | base64d > "$work/sibling"
  [ "$(openssl base64 -A < "$work/sibling")" = "$sibling" ] || fail "a hash is not written as it should be"
  [ "$sn" -gt 0 ] || fail "the path is too long"
  if [ $((fn % 2)) = 1 ] || [ "$fn" = "$sn" ]; then
    { printf '\\001'; cat "$work/sibling" "$work/node"; } | hash
    while [ $((fn % 2)) = 0 ] && [ "$fn" != 0 ]; do fn=$((fn / 2)) sn=$((sn / 2)); done
  else { printf '\\001'; cat "$work/node" "$work/sibling"; } | hash; fi
  fn=$((fn / 2)) sn=$((sn / 2))
done < "$work/path"
[ "$sn" = 0 ] || fail "the path is too short"
[ "$(openssl base64 -A < "$work/node")" = "$root" ] || fail "the path does not lead to the root"
echo "PROVED: entry $index is in the log $name of size $size"
# 4. The statement that the entry names, and its signature by the same key (DSSE, pre-authentication encoding).
named=$(sed -n 's/^{"sallyport-entry":"1\\.[0-9]*","statement":"sha256:\\([0-9a-f]*\\)".*/\\1/p' "$folder/entry")
[ -n "$named" ] || { echo "It is no record of Sallyport: there is no statement."; exit 0; }
[ "$(sha256sum < "$folder/statement.json" | cut -c 1-64)" = "$named" ] || fail "the statement is another one"
field() { sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p" "$folder/statement.json"; }
field payload | tr -d '\\n' | base64d > "$work/payload"
type=$(field payloadType)
{ printf 'DSSEv1 %s %s %s ' "\${#type}" "$type" "$(wc -c < "$work/payload" | tr -d ' ')"; cat "$work/payload"; } > "$work/pae"
field sig | tr -d '\\n' | base64d > "$work/sig"
key "$work/pae" "$work/sig" || fail "the statement is not signed by this key"
echo "PROVED: its statement is signed by the same key and says:"
cat "$work/payload"; echo
`;
