# SPDX-License-Identifier: GPL-2.0-or-later
# File systems, encryption, volumes and RAID in files, by the distribution's tools, on the full
# kernel.

# limit: 1800
test_file_systems_are_made_and_mounted()
{
	mirrored
	fabricate -q --variant=minbase \
		--include=btrfs-progs,xfsprogs,f2fs-tools,exfatprogs,dosfstools,e2fsprogs,erofs-utils,squashfs-tools,xorriso \
		trixie tools.tar
	run -m 1G -q --root tools.tar -- sh -euc '
		mkdir -p /src/d /mnt/x && echo text >/src/d/file && chown 5:6 /src/d/file
		for fs in ext4 btrfs xfs f2fs vfat exfat; do
			rm -f /disk && truncate -s 512M /disk
			case $fs in
			btrfs | xfs) mkfs.$fs -q -f /disk ;;
			f2fs) mkfs.f2fs -q /disk ;;
			*) mkfs.$fs /disk ;;
			esac >/dev/null 2>&1
			mount -o loop -t $fs /disk /mnt/x
			cp -r /src/d /mnt/x/ && sync && umount /mnt/x
			mount -o loop,ro -t $fs /disk /mnt/x
			echo "$fs $(cat /mnt/x/d/file)"
			umount /mnt/x
		done
		mkfs.erofs -zlz4hc /disk.erofs /src >/dev/null 2>&1
		mksquashfs /src /disk.squashfs -comp zstd -quiet -no-progress >/dev/null
		xorriso -as mkisofs -quiet -R -o /disk.iso9660 /src >/dev/null 2>&1
		for fs in erofs squashfs iso9660; do
			mount -o loop,ro -t $fs /disk.$fs /mnt/x
			echo "$fs $(cat /mnt/x/d/file)"
			umount /mnt/x
		done' >out 2>err || { cat out err >&2; fail "file systems: see above"; }
	for fs in ext4 btrfs xfs f2fs vfat exfat erofs squashfs iso9660; do
		echo "$fs text"
	done | diff - out
}

# limit: 1800
test_encryption_volumes_and_raid()
{
	mirrored
	fabricate -q --variant=minbase --include=cryptsetup-bin,lvm2,mdadm,e2fsprogs trixie tools.tar
	run -m 1G -q --root tools.tar -- sh -euc '
		# there is no udevd that would make the nodes
		export LVM_SUPPRESS_FD_WARNINGS=1 DM_DISABLE_UDEV=1
		disk() { truncate -s "$2" "/$1" && losetup -f --show "/$1"; }
		echo secret >/key
		crypt=$(disk crypt 64M)
		cryptsetup luksFormat -q --pbkdf-memory 32768 --pbkdf-force-iterations 4 "$crypt" /key
		cryptsetup open -d /key "$crypt" opened
		mkfs.ext4 -q /dev/mapper/opened && mount /dev/mapper/opened /mnt
		echo text >/mnt/file && umount /mnt && cryptsetup close opened
		cryptsetup open -d /key "$crypt" opened && mount /dev/mapper/opened /mnt
		echo "luks $(cat /mnt/file)"
		umount /mnt && cryptsetup close opened

		one=$(disk one 64M) two=$(disk two 64M)
		mdadm --create -q --run /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 "$one" "$two"
		echo "raid $(sed -n "s/^md0 : \(active raid1\).*/\1/p" /proc/mdstat)"
		mdadm --stop -q /dev/md0

		volumes=$(disk volumes 128M)
		pvcreate -q -y "$volumes" >/dev/null && vgcreate -q vg "$volumes" >/dev/null
		lvcreate -q -y -L 32M -n lv vg >/dev/null
		mkfs.ext4 -q /dev/mapper/vg-lv && mount /dev/mapper/vg-lv /mnt
		echo "lvm $(lvs --noheadings -o lv_size --units m vg | tr -d " ")"
		umount /mnt && vgchange -q -an vg >/dev/null

		veritysetup format /one /hashes | sed -n "s/^Root hash:[ \t]*//p" >/root-hash
		veritysetup open /one checked /hashes "$(cat /root-hash)"
		echo "verity $(dmsetup status checked 2>/dev/null | cut -d" " -f 3,4)"
		veritysetup close checked' >out 2>err || { cat out err >&2; fail "devices: see above"; }
	printf "luks text\nraid active raid1\nlvm 32.00m\nverity verity V\n" | diff - out
}
