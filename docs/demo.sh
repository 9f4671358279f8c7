#!/usr/bin/env bash
# What `make demo` runs: from DICOM to a registered model, the same again, then an endpoint on this machine that
# gets a second version and is taken back.
# BIN: folder of the isocenter command; DEMO: folder to write to; DATA, LABELS, CLASSES: the user's own files;
# TARGET: where the jobs run; one that ends in -emulated is started, and ended again.
set -euo pipefail

export ISOCENTER_HOME=${ISOCENTER_HOME:-$PWD/$DEMO/store}
export PATH="$PWD/$BIN:$PATH"
TARGET=${TARGET:-local}

callers_program=$(dirname "${BASH_SOURCE[0]}")/demo_callers.py

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# The version that a pipeline, which has run, registered.
registered() { "$@" --json 2>/dev/null | "$BIN/python" -c 'import json, sys; print(json.load(sys.stdin)["reference"])'; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

# Nothing that was started stays.
clean_up() {
  [ -z "${callers:-}" ] || kill "$callers" 2>/dev/null || true
  [ -z "${endpoint:-}" ] || isocenter endpoint delete "$endpoint" --reason "the demo is over"
  [ -z "${emulated:-}" ] || isocenter emulate "$emulated" --stop
}
trap clean_up EXIT

if [[ $TARGET == *-emulated ]]; then
  export ISOCENTER_DEPLOYMENTS=${ISOCENTER_DEPLOYMENTS:-$PWD/$DEMO/deployments}
  say "The service that runs the jobs, emulated on this machine"
  emulated=${TARGET%-emulated}
  run isocenter emulate "$emulated" --detach
fi

if [ -z "$DATA" ]; then
  say "A synthetic chest X-ray set, written as DICOM"
  run isocenter demo --out "$DEMO/data"
  DATA=$DEMO/data/dicom LABELS=$DEMO/data/labels.csv
  unseen=("$DEMO"/data/unseen/*.dcm)
  card=(--card "$DEMO/data/card.yaml")
else
  mapfile -d '' -t unseen < <(find "$DATA" -type f ! -name '*.csv' ! -name DICOMDIR -print0 | head -z -n 2)
  card=()
fi
pipeline=(isocenter pipeline run --data "$DATA" --classes "$CLASSES" --target "$TARGET" "${card[@]}")
[ -n "$LABELS" ] && pipeline+=(--labels "$LABELS")

say "The pipeline: ingest, validate, train, evaluate, gate, register"
run "${pipeline[@]}"

say "Two files scored by the registered model"
first=$(registered "${pipeline[@]}")
run isocenter predict "$first" "${unseen[@]}"
if [ ${#card[@]} -gt 0 ]; then
  echo "The file names tell what was drawn. A model that saw so few phantoms errs at times: see its sensitivity above."
fi

say "The same command again: nothing is redone"
run "${pipeline[@]}"

say "An endpoint on this machine that takes DICOM from whoever has a token"
# Your own model has no complete card yet: its endpoint is for trials, and asks for no Approval.
clinical=()
if [ ${#card[@]} -gt 0 ]; then
  run isocenter model promote "$first" --to champion --reason "reviewed, as the demo pretends"
  clinical=(--as champion)
fi
endpoint=make-demo
run isocenter endpoint deploy "$endpoint" "$first" --target local "${clinical[@]}" --reason "first version"
url=$(isocenter endpoint status "$endpoint" --json | "$BIN/python" -c 'import json, sys; print(json.load(sys.stdin)["url"])')
ISOCENTER_TOKEN=$(isocenter endpoint token "$endpoint")
export ISOCENTER_TOKEN
run "$BIN/python" "$callers_program" "$url" "${unseen[@]}" --once

say "A second version, trained with another seed, gets a fifth of the requests; then it is taken back"
run "${pipeline[@]}" --seed 7
second=$(registered "${pipeline[@]}" --seed 7)
if [ ${#card[@]} -gt 0 ]; then
  run isocenter model promote "$second" --to challenger --reason "may be tried on a part of the requests"
fi
"$BIN/python" "$callers_program" "$url" "${unseen[@]}" &
callers=$!
run isocenter endpoint deploy "$endpoint" "$second" --canary 20 --reason "another seed"
sleep "${PAUSE:-5}"
run isocenter endpoint rollback "$endpoint" --reason "the demo takes it back"
sleep "${PAUSE:-2}"
kill -TERM "$callers"
wait "$callers" # fails, and the demo with it, if one request failed
callers=
run isocenter endpoint status "$endpoint"

say "The audit trail, checked record by record"
run isocenter audit verify
