#!/usr/bin/env bash
# Repeat the 2015 article on your own photos, and beat it at a fraction of the cost.
#
#   bash examples/article.sh PATH/TO/gender_pic
#
# The folder holds female/PERSON/*.jpg and male/PERSON/*.jpg. The classic network takes about a
# minute an epoch for 6,400 photos on two cores; Ctrl-C saves it, --resume goes on.
set -euo pipefail
photos=${1:?the folder of photos}
facegender prepare "$photos" --split article --output article.csv
facegender train article.csv --init none --no-degrade --output article_compact --seed 0
facegender eval article.csv --model article_compact
facegender train article.csv --arch classic --output article_classic --seed 0
facegender eval article.csv --model article_classic
