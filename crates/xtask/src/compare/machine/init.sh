#!/bin/busybox sh
# The first process of the emulated machine: mounts the host's files, runs the command that it finds there, and ends.
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /host /written /root
$busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod "/$module.ko" || echo "no module $module" > /dev/console; done

# The host's files as they are; what is written goes into memory, and is gone at the end.
files=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "ro,cache=loose,$files" host /host
mount -t tmpfs -o size=80% written /written
mkdir /written/upper /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work overlay /root
for folder in proc sys dev; do
    mkdir -p "/root/$folder"
    mount --move "/$folder" "/root/$folder"
done
# Beside its own processor a proxy is not put aside for each one that it wakes; neither is it here, beside its clients.
mount -t debugfs debug /root/sys/kernel/debug
echo NO_WAKEUP_PREEMPTION > /root/sys/kernel/debug/sched/features || echo "preemption is left on" > /dev/console

mkdir -p /root/dev/shm "/root{shared}"
mount -t tmpfs files /root/dev/shm
mount -t 9p -o "$files" shared "/root{shared}"

ip link set lo up
ulimit -Hn 1048576
ulimit -Sn 65536
stty -F /root/dev/ttyS1 -onlcr
cp /bin/busybox /root/dev/shm/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/dev/shm
chroot /root /bin/sh "{shared}/command" > /root/dev/ttyS1 2>&1 < /root/dev/null
echo $? > "/root{shared}/status"
/root/dev/shm/busybox poweroff -f
