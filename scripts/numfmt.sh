#!/bin/sh
# Rebuilds campaigns/workbooks/numfmt.js, the number formatter that values.py runs (needs npm and Node).
# The bundle and its MIT licence are committed, so neither is needed to install or run Hongyan.
set -eu
numfmt=4.0.1
esbuild=0.28.2
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/campaigns/workbooks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf '{"private": true}\n' >package.json
npm install --silent --no-audit --no-fund "numfmt@$numfmt" "esbuild@$esbuild"
# numfmt's require() entry names a file that 4.0.1 does not ship; its ES module is the one to bundle.
cat >entry.js <<'JS'
import { format, getFormatDateInfo } from "numfmt";
globalThis.showNumber = (pattern, value, locale) => format(pattern, value, { locale, throws: true });
globalThis.dateParts = (pattern) => {
  const info = getFormatDateInfo(pattern);
  if (info.year || info.month || info.day) return "date";
  return info.hours || info.minutes || info.seconds ? "time" : "";
};
JS
npx esbuild entry.js --bundle --minify --format=iife --target=es2020 --legal-comments=none \
    --banner:js="/* numfmt $numfmt, MIT, see numfmt.LICENSE; built by scripts/numfmt.sh */" \
    --outfile=numfmt.js --log-level=warning
cp numfmt.js "$out/numfmt.js"
cp node_modules/numfmt/LICENSE "$out/numfmt.LICENSE"
