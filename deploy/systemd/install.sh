#!/bin/sh
# Puts the units, the user, the folders and the settings in place. Settings that are there stay. DESTDIR is another root.
set -eu
cd "$(dirname "$0")"
root=${DESTDIR:-}
install -Dm644 sysusers.conf "$root/etc/sysusers.d/stemsvc.conf"
install -Dm644 tmpfiles.conf "$root/etc/tmpfiles.d/stemsvc.conf"
install -Dm644 hardening.conf "$root/etc/systemd/system/stemsvc-.service.d/hardening.conf"
install -m644 ./*.service ./*.target "$root/etc/systemd/system"
install -d "$root/etc/stemsvc"
for each in *.env database.sql ../pools.yaml; do
  there="$root/etc/stemsvc/$(basename "$each")"
  test -e "$there" || install -m644 "$each" "$there"
done
systemd-sysusers ${root:+--root="$root"} stemsvc.conf
systemd-tmpfiles ${root:+--root="$root"} --create stemsvc.conf
test -n "$root" || systemctl daemon-reload
