# SPDX-License-Identifier: GPL-2.0-or-later
# systemd as PID 1 of a session, on the full kernel.

# shellcheck source=tests/support/terminals.sh
. "$TESTS_DIR/support/terminals.sh"

is_running()
{
	[ "$("$UMLCAGE" session exec sysd -- systemctl is-system-running --wait 2>/dev/null)" = running ]
}

# start OPTION...: without --kernel it is the full one by itself; here it is that of the tests, which
# is one, too
start()
{
	"$UMLCAGE" session start --init ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root ./sysd \
		"$@" sysd
}

# limit: 3600
test_systemd_is_the_first_process()
{
	mirrored
	fabricate -q --variant=minbase --format=directory \
		--include=systemd-sysv,dbus,libpam-systemd,openssh-server,procps trixie sysd
	local port
	port=$(free_port)
	start --keep sysd --hostname web -p "$port:22"
	within 900 is_running || "$UMLCAGE" session exec sysd -- systemctl --failed --no-pager
	equal 1 "$("$UMLCAGE" session exec sysd -- pidof -s /sbin/init)" "the process of init"
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active systemd-journald)"
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active systemd-logind)"
	# a unit of one's own, its limits, its log
	"$UMLCAGE" session exec sysd -- systemd-run --wait -q -u hello -p MemoryMax=64M sh -c 'echo from a unit; exit 3' &&
		fail "the status of a unit is lost"
	"$UMLCAGE" session exec sysd -- journalctl -u hello --no-pager >log
	contains 'from a unit' log
	"$UMLCAGE" session exec sysd -- systemctl reset-failed
	# ssh through the published port, with a key
	ssh-keygen -q -t ed25519 -N '' -f key
	"$UMLCAGE" session exec sysd -- sh -c 'mkdir -pm 700 /root/.ssh && cat >/root/.ssh/authorized_keys' <key.pub
	ssh -i key -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=hosts root@127.0.0.1 \
		'echo $(uname -n) $(loginctl show-session -p Remote --value "$XDG_SESSION_ID"); exit 5' >out 2>err &&
		fail "no status"
	equal 5 $? "status through ssh: $(cat err)"
	equal "web yes" "$(cat out)" "the machine's name, and a session of logind"
	# an upgrade, of systemd itself, too, and packages with services, which start
	"$UMLCAGE" session exec sysd -- sh -c 'apt-get -qq update && export DEBIAN_FRONTEND=noninteractive &&
		apt-get -qq upgrade -y && apt-get -qq install -y --reinstall systemd dbus &&
		apt-get -qq install -y cron' >apt 2>&1 || { cat apt; fail "apt-get"; }
	equal running "$("$UMLCAGE" session exec sysd -- systemctl is-system-running)" "after the upgrade"
	equal active "$("$UMLCAGE" session exec sysd -- systemctl is-active cron)"
	# what it was told to keep before it ends is kept: it is shut down, not killed
	"$UMLCAGE" session exec sysd -- sh -c 'printf "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sh -c \"echo ended >/srv/ended\"\n" >/etc/systemd/system/last.service && systemctl daemon-reload && systemctl start last'
	"$UMLCAGE" session stop sysd
	equal ended "$("$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -q --root ./sysd --keep sysd cat /srv/ended)"
	# switched off from within it has ended well
	start
	within 900 is_running
	"$UMLCAGE" session exec sysd -- systemctl poweroff || true
	"$UMLCAGE" session wait sysd 2>err || grep -q "there is no session" err
	equal '[]' "$("$UMLCAGE" session list --json | tr -d ' \n')" "what is left"
}

# The name is typed again until it is taken: agetty throws away what came before it reads.
logged_in()
{
	screen_has "root@" && return
	type_line root
	sleep 3
	screen_has "root@"
}

# limit: 3600
test_console_and_sockets()
{
	mirrored
	command -v ssh-agent >/dev/null || host_cannot "there is no ssh-agent"
	fabricate -q --variant=minbase --format=directory --customize-hook='chroot "$1" passwd -q -d root' \
		--include=systemd-sysv,dbus,libpam-systemd,login,openssh-client trixie sysd
	open_terminal 100 40
	eval "$(ssh-agent -a "$T/agent")" >agent-pid
	trap 'tm capture-pane -pt cage; tm kill-server; kill $SSH_AGENT_PID' EXIT
	ssh-keygen -q -t ed25519 -N '' -f key
	ssh-add -q key
	# where systemd has file systems of its own, and where X11 has its sockets
	start --socket ssh-auth --socket "$T/agent:/tmp/.X11-unix/X0"
	type_line '$UMLCAGE session console sysd'
	within 900 screen_has "login:"
	within 120 logged_in
	type_line 'clear; x=kept-$((40+3)); tty; loginctl --no-legend list-sessions | wc -l'
	within 120 screen_has /dev/console
	tm send-keys -t cage C-p C-q
	within 20 screen_has "left the console of 'sysd'"
	within 900 is_running || "$UMLCAGE" session exec sysd -- systemctl --failed --no-pager
	equal "$(ssh-add -l)" "$("$UMLCAGE" session exec sysd -- ssh-add -l)"
	equal "$(ssh-add -l)" "$("$UMLCAGE" session exec sysd -- env SSH_AUTH_SOCK=/tmp/.X11-unix/X0 ssh-add -l)"
	# on the console it is what it was, and after it a login again
	type_line 'clear; $UMLCAGE session console sysd; echo status-$?'
	type_line 'clear; echo $x'
	within 60 screen_has kept-43
	type_line exit
	within 120 screen_has "login:"
	"$UMLCAGE" session stop sysd
	within 120 screen_has "the session 'sysd' has ended"
	within 20 screen_has status-0
}
