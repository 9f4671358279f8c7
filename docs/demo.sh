#!/usr/bin/env bash
# What `make demo` runs: from DICOM to a registered model on this machine, then the same again.
# BIN: folder of the isocenter command; DEMO: folder to write to; DATA, LABELS, CLASSES: the user's own files;
# TARGET: where the jobs run; one that ends in -emulated is started, and ended again.
set -euo pipefail

export ISOCENTER_HOME=${ISOCENTER_HOME:-$PWD/$DEMO/store}
export PATH="$PWD/$BIN:$PATH"
TARGET=${TARGET:-local}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

if [[ $TARGET == *-emulated ]]; then
  export ISOCENTER_DEPLOYMENTS=${ISOCENTER_DEPLOYMENTS:-$PWD/$DEMO/deployments}
  say "The service that runs the jobs, emulated on this machine"
  trap 'isocenter emulate "${TARGET%-emulated}" --stop' EXIT
  run isocenter emulate "${TARGET%-emulated}" --detach
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
run isocenter predict chest-xray@challenger "${unseen[@]}"
if [ ${#card[@]} -gt 0 ]; then
  echo "The file names tell what was drawn. A model that saw so few phantoms errs at times: see its sensitivity above."
fi

say "The audit trail, checked record by record"
run isocenter audit verify

say "The same command again: nothing is redone"
run "${pipeline[@]}"
