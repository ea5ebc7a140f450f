#!/bin/busybox sh
# The first program of the virtual machine: loads the modules, then hands over to control.sh.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/tools:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mkdir -p /run/netns
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
while read -r module; do insmod "/modules/$module"; done </modules/order
/tools/sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
  net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0
/tools/ip link set lo up

# Not by this process: it gets every program that lost its parent, and a shell that is told of an
# ended child forgets the half of a line that it has read.
sh /control.sh
poweroff -f
