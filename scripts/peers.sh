#!/bin/sh
# Brings the programs that only a distribution has and that the tests talk to (Debian 12 or newer).
# Installs what is missing and nothing else; starts no service. usage: peers.sh
set -eu
packages="chromium fonts-wqy-microhei dovecot-pop3d dovecot-imapd postfix libmail-dkim-perl redis-server postgresql gettext spamd spamc iproute2"

say() { echo "hongyan: $*" >&2; }

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

if [ ! -e /etc/debian_version ] || ! command -v apt-get >/dev/null 2>&1; then
    say "this is no Debian, so install these by hand as your system names them: $packages"
    exit 1
fi

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
    say "all the peers are here."
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then
        exec sudo sh "$0"
    fi
    say "installing packages needs root: run 'make peers' as root, or: apt-get install$missing"
    exit 1
fi

say "installing$missing (this takes a minute or two)"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
tidy() {
    rm -f "$log"
    if [ -n "$made_policy" ]; then rm -f "$policy"; fi
}
trap tidy EXIT
trap 'exit 130' INT TERM

# 101: "starting is forbidden by policy" (invoke-rc.d). The tests start private instances themselves.
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
fi
export DEBIAN_FRONTEND=noninteractive

quietly() { "$@" >>"$log" 2>&1; }
install() {
    # shellcheck disable=SC2086  # a list of words
    quietly apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 $missing
}
lists_are_fresh() { find /var/lib/apt/lists -name '*_Packages*' -mtime -1 2>/dev/null | grep -q .; }

if ! lists_are_fresh; then
    quietly apt-get update -q || say "the package lists could not be renewed; trying with those at hand."
fi
if command -v debconf-set-selections >/dev/null 2>&1; then
    echo "postfix postfix/main_mailer_type select No configuration" | quietly debconf-set-selections
fi
if ! install && ! { quietly apt-get update -q && install; }; then
    tail -n 15 "$log" >&2
    say "the packages could not be installed; the lines above say why."
    exit 1
fi
say "installed$missing"
