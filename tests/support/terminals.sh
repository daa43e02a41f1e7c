# SPDX-License-Identifier: GPL-2.0-or-later
# A terminal for tests, which tmux is.

TMUX_SOCKET=$T/tmux

tm()
{
	SHELL=/bin/bash tmux -S "$TMUX_SOCKET" -f /dev/null "$@"
}

# screen_has TEXT
screen_has()
{
	tm capture-pane -pt cage | grep -F -- "$1" >/dev/null
}

# A host shell in the terminal, whose settings and liveliness can be looked at after.
open_terminal()
{
	command -v tmux >/dev/null || host_cannot "tmux is not installed"
	tm new-session -d -s cage -x "${1:-80}" -y "${2:-24}" \
		"env PS1='host> ' UMLCAGE='$UMLCAGE' bash --norc --noprofile"
	within 10 screen_has "host>"
	trap 'tm capture-pane -pt cage; tm kill-server' EXIT
}

type_line()
{
	tm send-keys -t cage -l -- "$1"
	tm send-keys -t cage Enter
}
