#!/bin/sh
# Builds dxwatchd_VERSION_ARCHITECTURE.deb. Called by `make deb`.
#
#   build.sh WHEELHOUSE FOLDER
#
# The environment in the package works with one minor version of Python: that of PYTHON, which must be Debian's.
set -eu

wheelhouse=$1 folder=$2
here=$(dirname "$0")
python=${PYTHON:-/usr/bin/python3}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../../pyproject.toml")
minor=$("$python" -c 'import sys; print(sys.version_info[1])')
case $(readlink -f "$("$python" -c 'import sys; print(sys.executable)')") in
/usr/bin/*) ;;
*)
	echo "$python is none of Debian's, which the package would need: make deb PYTHON=/usr/bin/python3" >&2
	exit 1
	;;
esac

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
PYTHON=$python "$here/../stage.sh" "$wheelhouse" "$stage" /usr/bin /usr/lib
doc=$stage/usr/share/doc/dxwatchd
mkdir -p "$stage/DEBIAN" "$doc/systemd" "$doc/config"
install -m 644 "$here/../../README.md" "$here/../../CHANGELOG.md" "$here/copyright" "$doc/"
install -m 644 "$here/../README.md" "$doc/systemd/"
install -m 644 "$here/../../config/prometheus-alerts.yml" "$here/../../config/card.schema.json" "$doc/config/"
install -m 755 "$here/postinst" "$here/prerm" "$here/postrm" "$stage/DEBIAN/"
echo /etc/dxwatchd/dxwatchd.toml >"$stage/DEBIAN/conffiles"
architecture=$(dpkg --print-architecture)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
	-e "s/@PYTHON@/3.$minor/" -e "s/@NEXT@/3.$((minor + 1))/" \
	-e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$stage" | cut -f1)/" "$here/control" >"$stage/DEBIAN/control"
mkdir -p "$folder"
dpkg-deb --root-owner-group --build "$stage" "$folder/dxwatchd_${version}_$architecture.deb" >/dev/null
echo "$folder/dxwatchd_${version}_$architecture.deb"
