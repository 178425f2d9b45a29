#!/bin/sh
# Removes the service and its programs. Called by `make uninstall`.
#
#   uninstall.sh DESTDIR BINDIR LIBDIR
#
# What people decided and wrote stays: the settings, the manifest and the cards.
set -eu

destdir=$1 bindir=$2 libdir=$3

if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
	systemctl --quiet disable --now dxwatchd 2>/dev/null || true
fi
rm -rf "$destdir/opt/dxwatchd" "$destdir$libdir/systemd/system/dxwatchd.service.d"
rm -f "$destdir$bindir/dxwatchd" "$destdir$libdir/systemd/system/dxwatchd.service" \
	"$destdir$libdir/sysusers.d/dxwatchd.conf" "$destdir$libdir/tmpfiles.d/dxwatchd.conf"
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
echo "removed      dxwatchd; $destdir/etc/dxwatchd and $destdir/var/lib/dxwatchd stay"
