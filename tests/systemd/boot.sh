#!/bin/bash
# Boots a real systemd as PID 1 of a container, and stays until that is powered off.
#
#   boot.sh BASE FOLDER NAME
#
# BASE: a Debian's root, which is not changed; FOLDER: for what the box writes, in memory; NAME: of its cgroup.
# To be called in a PID namespace and a mount namespace of its own.
set -euo pipefail
base=$1 folder=$2 name=$3

# What others have mounted would not end in here when they unmount it.
while read -r _ _ _ _ at _; do
	at=$(printf '%b' "$at")
	case $at in / | /proc* | /sys* | /dev* | /run*) continue ;; esac
	case "$base/ $folder/" in "$at"/* | *" $at"/*) continue ;; esac
	umount --lazy "$at" 2>/dev/null || true
done </proc/self/mountinfo

mount -t tmpfs -o size=4g,mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
# systemd-nspawn removes what lies below its own folder of mounts; another file system there would alarm it
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

# A cgroup of its own in each hierarchy, below ours: systemd takes the one it is started in for its root.
while IFS=: read -r _ controllers path; do
	controllers=${controllers#name=}
	for at in "/sys/fs/cgroup/${controllers:-unified}" /sys/fs/cgroup; do
		[ -e "$at$path/cgroup.procs" ] || continue
		own="${at}${path%/}/$name"
		mkdir -p "$own"
		if [ -e "$own/cpuset.cpus" ]; then # empty in version 1, and nothing may be moved into such a one
			cat "${own%/*}/cpuset.cpus" >"$own/cpuset.cpus"
			cat "${own%/*}/cpuset.mems" >"$own/cpuset.mems"
		fi
		echo $$ >"$own/cgroup.procs"
		break
	done
done </proc/self/cgroup

# systemd-nspawn mounts the controllers of version 1 read-only; the limits of units would have no effect.
cat >"$folder/root/first" <<'FIRST'
#!/bin/sh
for hierarchy in /sys/fs/cgroup/*; do
	if grep -q " $hierarchy cgroup " /proc/mounts; then mount -o remount,bind,rw,nosuid,nodev,noexec "$hierarchy"; fi
done
exec /lib/systemd/systemd
FIRST
chmod 755 "$folder/root/first"
exec systemd-nspawn --quiet --directory "$folder/root" --machine="$name" --register=no --keep-unit \
	--private-network --kill-signal=SIGRTMIN+3 --link-journal=no --resolv-conf=off --timezone=off /first
