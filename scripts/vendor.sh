#!/bin/sh
# Copies the browser libraries (versions: package.json, hashes: package-lock.json) to static/vendor.
#
# Only who changes a version or adds an icon (scripts/icons.txt) runs this, with Node 20 or newer; the result
# is committed, so running the app needs no Node. Packages' own install scripts never run.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/package.json" "$root/package-lock.json" "$root/.npmrc" "$work/"
(cd "$work" && npm ci --ignore-scripts --silent)
modules=$work/node_modules
out=$work/vendor
mkdir -p "$out"

# Source maps are not shipped; a left-over reference would make collectstatic's manifest fail.
take() {
    mkdir -p "$(dirname "$out/$2")"
    sed -e 's,^//# sourceMappingURL=.*$,,' -e 's,/\*# sourceMappingURL=[^*]*\*/,,' "$modules/$1" >"$out/$2"
}

take @tabler/core/dist/css/tabler.min.css tabler/tabler.min.css
take @tabler/core/dist/js/tabler.min.js tabler/tabler.min.js
take htmx.org/dist/htmx.min.js htmx/htmx.min.js
take htmx.org/LICENSE htmx/LICENSE
take @alpinejs/csp/dist/cdn.min.js alpinejs-csp/alpine-csp.min.js
take chart.js/dist/chart.umd.min.js chartjs/chart.umd.min.js
take chart.js/LICENSE.md chartjs/LICENSE
take @tabler/icons/LICENSE icons/LICENSE

# These two are MIT by their package.json but carry no licence file in the package.
mit() {
    printf 'MIT License\n\nCopyright (c) %s\n\n' "$2" >"$out/$1"
    sed -n '/^Permission is hereby granted/,$p' "$modules/@tabler/icons/LICENSE" >>"$out/$1"
}
mit tabler/LICENSE '2018-2026 The Tabler Authors, 2011-2026 The Bootstrap Authors'
mit alpinejs-csp/LICENSE '2019-2026 Caleb Porzio and contributors'

# One sprite of the icons we use (a line of icons.txt is a name, or name=drawing): <svg class="icon"><use href="…/sprite.svg#send"/></svg>
sprite=$out/icons/sprite.svg
printf '<svg xmlns="http://www.w3.org/2000/svg">\n' >"$sprite"
while IFS='=' read -r name drawing; do
    printf '<symbol id="%s" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">' "$name"
    grep -E '^ *<(path|circle|rect|line|polyline)' "$modules/@tabler/icons/icons/outline/${drawing:-$name}.svg" |
        grep -v 'M0 0h24v24H0z' | sed 's/^ *//' | tr -d '\n'
    printf '</symbol>\n'
done <"$root/scripts/icons.txt" >>"$sprite"
printf '</svg>\n' >>"$sprite"

# VERSIONS: package and version first, then the SHA-256 of every file (tests/test_interface.py checks them).
{
    for package in @tabler/core @tabler/icons htmx.org @alpinejs/csp chart.js; do
        printf '%s %s\n' "$package" "$(node -p "require('$modules/$package/package.json').version")"
    done
    printf '\n'
    cd "$out" && find . -type f ! -name VERSIONS | sort | sed 's,^\./,,' | xargs sha256sum
} >"$work/VERSIONS"
mv "$work/VERSIONS" "$out/VERSIONS"
rm -rf "$root/static/vendor"
cp -R "$out" "$root/static/vendor"
