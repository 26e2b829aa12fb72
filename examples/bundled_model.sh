#!/usr/bin/env bash
# Make the bundled model again: trained on FairFace's training photos only (CC BY 4.0, Kärkkäinen
# and Joo, 2021), 2,000 of which choose the epoch and the temperature. Its validation photos only
# compare recipes; what they say goes into the card. About an hour and a half on two cores.
#
#   bash examples/bundled_model.sh PATH/TO/fairface OUT
#
# The folder holds train/{female,male}/, val/{female,male}/ and attributes.csv (path,gender,age,race).
set -euo pipefail
data=${1:?the FairFace folder} out=${2:?the model folder to write}
credit="FairFace (Kärkkäinen and Joo, 2021), training photos, CC BY 4.0; labels are perceived \
gender as its annotators saw it. The weights are offered under CC BY 4.0."
facegender prepare "$data/train" --attributes "$data/attributes.csv" \
  --val .05 --test 0 --drop-conflicts --out fairface-train.csv
facegender train fairface-train.csv --init none --epochs 72 --patience 72 --seed 0 \
  --credit "$credit" --out "$out"
facegender prepare "$data/val" --attributes "$data/attributes.csv" \
  --val 0 --test .5 --out fairface-val.csv
facegender eval fairface-val.csv --model "$out" --split all --by age --by race,gender --stress \
  --against fairface-train.csv --record "FairFace validation photos"
facegender eval fairface-val.csv --model "$out" --split all --where 'age not in 0-2,3-9' \
  --by race,gender --against fairface-train.csv \
  --record "FairFace validation photos, ages 10 and over"
