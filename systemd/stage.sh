#!/bin/sh
# Lays out everything that an installation consists of below a folder. Called by the Makefile.
#
#   stage.sh WHEELHOUSE FOLDER BINDIR LIBDIR
#
# WHEELHOUSE: wheels of dxwatchd and of all it needs; nothing is fetched. FOLDER: stands for /. BINDIR: where the
# command is linked, LIBDIR: below which systemd looks for units, sysusers.d and tmpfiles.d.
# PYTHON: what the environment is made with, a Python that the machine keeps.
set -eu

wheelhouse=$1 folder=$2 bindir=$3 libdir=$4
here=$(dirname "$0")
python=${PYTHON:-/usr/bin/python3}
home=/opt/dxwatchd

rm -rf "$folder$home"
mkdir -p "$folder$home" "$folder$bindir" "$folder/etc/dxwatchd" \
	"$folder$libdir/systemd/system" "$folder$libdir/sysusers.d" "$folder$libdir/tmpfiles.d"

"$python" -m venv "$folder$home" || {
	echo "$python makes no environments: install python3-venv, or name another one: make install PYTHON=..." >&2
	exit 1
}
"$folder$home/bin/python" -m pip --disable-pip-version-check --quiet --no-input install --no-compile --no-index \
	--find-links "$wheelhouse" dxwatchd
# Nothing is ever installed into it again: an upgrade makes it anew.
"$folder$home/bin/python" -m pip --disable-pip-version-check --quiet --no-input uninstall --yes pip setuptools 2>/dev/null
find "$folder$home/bin" ! -type d ! -name 'python*' ! -name dxwatchd -delete
find "$folder$home" -name __pycache__ -type d -prune -exec rm -rf {} +
# The environment knows itself by the path that it will have.
grep -rIl -- "$folder$home" "$folder$home/bin" "$folder$home/pyvenv.cfg" | xargs -r sed -i "s|$folder$home|$home|g"
"$folder$home/bin/python" -m compileall -q -s "$folder" "$folder$home/lib"

ln -sfn "$home/bin/dxwatchd" "$folder$bindir/dxwatchd"
install -m 644 "$here/dxwatchd.service" "$folder$libdir/systemd/system/dxwatchd.service"
# Laid beside the unit only; it is put into force where systemd knows how.
install -m 644 "$here/notify-reload.conf" "$folder$home/notify-reload.conf"
install -m 644 "$here/dxwatchd.sysusers" "$folder$libdir/sysusers.d/dxwatchd.conf"
install -m 644 "$here/dxwatchd.tmpfiles" "$folder$libdir/tmpfiles.d/dxwatchd.conf"
# The settings with all their explanations, and the places of a service set.
sed -e 's|^# models_root = .*|models_root = "/srv/models"|' \
	-e 's|^# state_dir = .*|state_dir = "/var/lib/dxwatchd"|' \
	-e 's|^# manifest = .*|manifest = "/var/lib/dxwatchd/manifest/manifest.toml"|' \
	-e '1s|.*|# Settings of the dxwatchd service. What is commented out shows the default.|' \
	"$here/../config/dxwatchd.toml" >"$folder/etc/dxwatchd/dxwatchd.toml"
