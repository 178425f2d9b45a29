#!/bin/sh
# Installs dxwatchd as a service, or a newer version over an older one. Called by `make install`.
#
#   install.sh WHEELHOUSE DESTDIR BINDIR LIBDIR
#
# Settings that are there stay. With a DESTDIR files are laid out there, and users, folders and the running
# service are left to whoever packs them.
set -eu

wheelhouse=$1 destdir=$2 bindir=$3 libdir=$4
here=$(dirname "$0")

if [ -z "$destdir" ] && [ "$(id -u)" -ne 0 ]; then
	echo "make install writes to /opt, /etc and $libdir: run it as root" >&2
	exit 1
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
"$here/stage.sh" "$wheelhouse" "$stage" "$bindir" "$libdir"

config=/etc/dxwatchd/dxwatchd.toml
if [ -e "$destdir$config" ]; then
	rm "$stage$config"
	echo "kept         $destdir$config"
fi
# Beside the old one first: the command is away for no longer than two renames take.
mkdir -p "$destdir/opt"
rm -rf "$destdir/opt/.dxwatchd-new" "$destdir/opt/.dxwatchd-old"
mv "$stage/opt/dxwatchd" "$destdir/opt/.dxwatchd-new"
[ ! -e "$destdir/opt/dxwatchd" ] || mv "$destdir/opt/dxwatchd" "$destdir/opt/.dxwatchd-old"
mv "$destdir/opt/.dxwatchd-new" "$destdir/opt/dxwatchd"
rm -rf "$destdir/opt/.dxwatchd-old"
rmdir "$stage/opt"
chmod 755 "$stage"
cp -a "$stage/." "${destdir:-/}"
echo "installed    $destdir/opt/dxwatchd, the command $destdir$bindir/dxwatchd"

[ -z "$destdir" ] || exit 0
[ -d /run/systemd/system ] || {
	echo "systemd does not run here: make the user and the folders by systemd-sysusers and systemd-tmpfiles"
	exit 0
}
systemd-sysusers dxwatchd.conf
systemd-tmpfiles --create dxwatchd.conf
reload=$libdir/systemd/system/dxwatchd.service.d
if [ "$(systemctl --version | awk 'NR == 1 { print int($2) }')" -ge 253 ]; then
	mkdir -p "$reload"
	install -m 644 /opt/dxwatchd/notify-reload.conf "$reload/notify-reload.conf"
else
	rm -rf "$reload"
fi
systemctl daemon-reload
if systemctl --quiet is-active dxwatchd; then
	systemctl restart dxwatchd
	echo "restarted    dxwatchd"
else
	echo "settings     $config: models_root is the first of them"
	echo "start it     systemctl enable --now dxwatchd"
fi
