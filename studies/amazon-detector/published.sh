# Files that Earth Genome published: models, detections of two vintages, mined areas by period.
# The folder MINETRACE_DATA holds amw-models/, amw-detections/ and amw-tallies/.
set -euo pipefail
data="${MINETRACE_DATA:-}"
models="$data/amw-models" detections="$data/amw-detections" areas="$data/amw-tallies"
if [ -z "$data" ] || [ ! -d "$models" ]; then
  echo "left out: MINETRACE_DATA names no folder with the published files"
  exit 0
fi

for model in 44px_v2.8_2021-11-11 48px_v3.2-3.7ensemble_2024-02-13 48px_v4.21-CNN100ka_2026-05-08ep179; do
  minetrace models import "$models/$model.h5" --out "published/$model" --force
  minetrace models check "published/$model"
done

# Patch squares with a confidence, filtered and dissolved; then outlines that were dissolved before.
minetrace panel "2023=$detections/amazon_5_48px_v3.3_0.50_1_2023-1_2024.geojson" \
  --t-main 0.55 --t-isolated 0.8 --distance-km 3 --k 5 --table-only --out published/v3.3
minetrace panel "2023=$detections/amazon_3_48px_v3.7_0.50_1_2023-1_2024-dissolved-0.8.geojson" \
  --extent footprint --mend --table-only --out published/v3.7

# Newly mined hectares of each period, by country: the table behind the web page.
minetrace tally "$areas"/mining_20{18,19,20,21,22,23,24}00_simplified.geojson \
  "$areas"/mining_20250{2,3}_simplified.geojson --period-column year --counts new --mend \
  --by "$areas/national_admin.geojson" --id id --out published/hectares
python payload.py published/hectares/tallies.json
