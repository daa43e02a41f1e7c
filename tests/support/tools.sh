# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of what people run as root: in a root that has it, or by its name.

# tools PACKAGES: tools.tar, a minimal trixie with these
tools()
{
	mirrored
	fabricate -q --variant=minbase --include="$1" trixie tools.tar
}

# tool ARGUMENTS: umlcage tool, with what it says in tool.log
tool()
{
	mirrored
	"$UMLCAGE" tool ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@" >tool.log 2>&1 ||
		{ cat tool.log >&2; fail "tool $*: see above"; }
}
