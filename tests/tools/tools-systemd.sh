# SPDX-License-Identifier: GPL-2.0-or-later
# systemd as PID 1 of a session, on the full kernel.

is_running()
{
	[ "$("$UMLCAGE" session exec sysd -- systemctl is-system-running --wait 2>/dev/null)" = running ]
}

# limit: 3600
test_systemd_is_the_first_process()
{
	mirrored
	fabricate -q --variant=minbase --format=directory \
		--include=systemd-sysv,dbus,libpam-systemd,openssh-server,procps trixie sysd
	local port
	port=$(free_port)
	# without --kernel it is the full one by itself; here it is that of the tests, which is one, too
	"$UMLCAGE" session start --init ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		--root ./sysd --keep sysd -p "$port:22" sysd
	within 900 is_running || "$UMLCAGE" session exec sysd -- systemctl --failed --no-pager
	equal 1 "$("$UMLCAGE" session exec sysd -- pidof -s /sbin/init)" "the process of init"
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active systemd-journald)"
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active systemd-logind)"
	# a unit of one's own, its limits, its log
	"$UMLCAGE" session exec sysd -- systemd-run --wait -q -u hello -p MemoryMax=64M sh -c 'echo from a unit; exit 3' &&
		fail "the status of a unit is lost"
	"$UMLCAGE" session exec sysd -- journalctl -u hello --no-pager >log
	contains 'from a unit' log
	# ssh answers through the published port: only a key is missing
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	read -r -t 300 banner <&5
	exec 5>&-
	matches 'SSH-2.0-OpenSSH*' "$banner" "what is behind the port"
	# apt's packages with services install and start
	"$UMLCAGE" session exec sysd -- sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y cron' >apt 2>&1 ||
		{ cat apt; fail "apt-get install"; }
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active cron)"
	# what it was told to keep before it ends is kept: it is shut down, not killed
	"$UMLCAGE" session exec sysd -- sh -c 'printf "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sh -c \"echo ended >/srv/ended\"\n" >/etc/systemd/system/last.service && systemctl daemon-reload && systemctl start last'
	"$UMLCAGE" session stop sysd
	equal ended "$("$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -q --root ./sysd --keep sysd cat /srv/ended)"
	# switched off from within it has ended well
	"$UMLCAGE" session start --init ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root ./sysd sysd
	within 900 is_running
	"$UMLCAGE" session exec sysd -- systemctl poweroff || true
	"$UMLCAGE" session wait sysd 2>err || grep -q "there is no session" err
	equal '[]' "$("$UMLCAGE" session list --json | tr -d ' \n')" "what is left"
}
