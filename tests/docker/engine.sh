#!/bin/sh
# Runs a Docker engine whose root is the folder ROOT, made by debootstrap, until it is told to end. It has a mount
# namespace of its own, and writes no firewall rules: what publishes ports is its proxy. Call it with `unshare --mount`.
set -eu
root=$1 project=$2

mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p old
pivot_root . old
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --rbind /old/sys/fs/cgroup /sys/fs/cgroup
mount --rbind /old/dev /dev
mount -t tmpfs tmpfs /run
mkdir -p "$project"
mount --bind "/old$project" "$project"
cd /
exec dockerd --host unix:///run/docker.sock --iptables=false --bridge=none
