#!/usr/bin/env bash
# Make the bundled model again: trained on FairFace's training photos only (CC BY 4.0, Kärkkäinen
# and Joo, 2021), 2,000 of which choose the epoch and the temperature. Its validation photos only
# compare recipes; what they say goes into the card. About two hours on two cores.
#
#   bash examples/bundled_model.sh PATH/TO/fairface OUT
#
# The folder holds train/{female,male}/, val/{female,male}/ and attributes.csv (path,gender,age,race).
# Interrupted, the same command goes on.
set -euo pipefail
data=${1:?the FairFace folder} out=${2:?the model folder to write}
credit="FairFace (Kärkkäinen and Joo, 2021), training photos, CC BY 4.0; labels are perceived \
gender as its annotators saw it. The weights are offered under CC BY 4.0."
learn() { # OUT OPTIONS...: train, or go on
  local to=$1 resume=()
  [ -e "$to/last/state.json" ] && resume=(--resume)
  shift
  facegender train fairface-train.csv --out "$to" "$@" "${resume[@]}"
}
facegender prepare "$data/train" --attributes "$data/attributes.csv" \
  --val .05 --test 0 --drop-conflicts --out fairface-train.csv
learn "$out-start" --init none --epochs 72 --patience 72 --seed 0 --no-degrade
learn "$out" --init "$out-start" --size 64x64 --epochs 24 --lr .001 --patience 24 --seed 1 \
  --start-share .6 --credit "$credit"
facegender prepare "$data/val" --attributes "$data/attributes.csv" \
  --val 0 --test .5 --out fairface-val.csv
facegender eval fairface-val.csv --model "$out" --split all --by age --by race,gender --stress \
  --against fairface-train.csv --record "FairFace validation photos"
facegender eval fairface-val.csv --model "$out" --split all --where 'age not in 0-2,3-9' \
  --by race,gender --against fairface-train.csv \
  --record "FairFace validation photos, ages 10 and over"
