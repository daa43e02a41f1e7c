# SPDX-License-Identifier: GPL-2.0-or-later

# sources_of SUITE UMLCAGE: what it takes for that suite, as lines for apt; for others to take the same
sources_of()
{
	"$2" fabricate --print-recipe --variant=essential "$1" - |
		sed -n 's/^source \([^ ]*\) \([^ ]*\) \([^ ]*\) .*/deb \1 \2 \3/p'
}
