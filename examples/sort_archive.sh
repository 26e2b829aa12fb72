#!/usr/bin/env bash
# Sort a photo archive by the people in it: links into female/ male/ uncertain/ several/ none/, marked
# copies to look at, and a table of every face. No photo is moved or changed.
#
#   bash examples/sort_archive.sh PATH/TO/photos OUT
set -euo pipefail
photos=${1:?the folder of photos} out=${2:?the folder to write}
mkdir -p "$out"
facegender predict "$photos" --recursive --csv --output "$out/faces.csv" \
  --sort "$out/sorted" --annotate "$out/marked" || [ $? -eq 3 ] # 3: some photos could not be read
