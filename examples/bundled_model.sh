#!/usr/bin/env bash
# Make the bundled model again: trained on FairFace's training photos only (CC BY 4.0, Kärkkäinen
# and Joo, 2021), 2,000 of which choose the epoch and the temperature; judged on its validation photos.
#
#   bash examples/bundled_model.sh PATH/TO/fairface OUT
#
# The folder holds train/{female,male}/, val/{female,male}/ and attributes.csv (path,gender,age,race).
set -euo pipefail
data=${1:?the FairFace folder} out=${2:?the model folder to write}
facegender prepare "$data/train" --attributes "$data/attributes.csv" \
  --val .05 --test 0 --drop-conflicts --out fairface-train.csv
facegender train fairface-train.csv --epochs 36 --seed 0 --out "$out"
facegender prepare "$data/val" --attributes "$data/attributes.csv" \
  --val 0 --test .5 --out fairface-val.csv
facegender eval fairface-val.csv --model "$out" --split all --by age --by race,gender
facegender eval fairface-val.csv --model "$out" --split all --where 'age not in 0-2,3-9'
