# SPDX-License-Identifier: GPL-2.0-or-later
# umlcage.conf: options as a file, profiles, where each came from.

export XDG_CONFIG_HOME=$T/config
unset UMLCAGE_CONFIG

conf()
{
	mkdir -p "$XDG_CONFIG_HOME/umlcage"
	cat >"$XDG_CONFIG_HOME/umlcage/umlcage.conf"
}

# in_force ARGUMENT...: what --print-config says, without comments
in_force()
{
	"$UMLCAGE" "$@" >in-force
	grep -v '^#' in-force | tr '\n' '|'
}

test_what_is_in_force()
{
	conf <<-END
		[all]
		memory = 300M
		cpus = 2
		# only of others
		max-size = 1G

		[run]
		cpus = 3
		publish = 8080:80
		env = A=1
		quiet = yes

		[@builder]
		memory = 400M
		env = B=2
		publish = 9090:90
	END
	equal "[run]|memory = 300M|cpus = 3|publish = 8080:80|env = A=1|quiet = yes|" \
		"$(in_force run --print-config)"
	equal "[run]|cpus = 3|publish = 8080:80|env = A=1|quiet = yes|memory = 400M|env = B=2|publish = 9090:90|" \
		"$(in_force run --print-config @builder -- true)"
	equal "[run]|memory = 300M|publish = 8080:80|env = A=1|quiet = yes|cpus = 4|env = C=3|" \
		"$(in_force run --cpus 4 --env C=3 --print-config)"
	contains "# $XDG_CONFIG_HOME/umlcage/umlcage.conf:2" in-force
	contains "# the command line" in-force
	equal "[shell]|memory = 300M|cpus = 2|" "$(in_force shell --print-config)"
	equal "[cache prune]|max-size = 1G|" "$(in_force cache prune --print-config)"
	equal "[run]|" "$(in_force run --no-config --print-config)"
	printf '[run]\nmemory = 500M\n' >other.conf
	equal "[run]|memory = 500M|" "$(in_force run --config other.conf --print-config)"
	equal "[run]|memory = 500M|" "$(UMLCAGE_CONFIG=other.conf in_force run --print-config)"
	equal "[run]|" "$(UMLCAGE_CONFIG= in_force run --print-config)"
	# what is printed is a file itself
	"$UMLCAGE" run --env 'X=a b' --print-config @builder >printed
	equal "$(grep -v '^#' printed)" "$("$UMLCAGE" run --config printed --print-config | grep -v '^#')"
	# an argument that looks like it is none
	equal "[run]|memory = 300M|cpus = 3|publish = 8080:80|env = A=1|env = --no-config|quiet = yes|" \
		"$(in_force run --env --no-config --print-config | sed 's/quiet = yes|env = --no-config|/env = --no-config|quiet = yes|/')"
}

test_faults_have_file_line_and_a_suggestion()
{
	bad()
	{
		printf '%b' "$1" >x.conf
		status 2 "$UMLCAGE" ${3:-run} --config x.conf --print-config 2>err >out
		equal "umlcage: x.conf:$2" "$(cat err)"
	}
	bad '[run]\n\nmemroy = 1G\n' "3: 'memroy' is not an option of [run]; did you mean 'memory'?"
	bad '[all]\nmemroy = 1G\n' "2: no command has an option 'memroy'"
	bad '[rnu]\n' "1: [rnu] is the name of no command, nor [all], nor a profile [@NAME]; did you mean [run]?"
	bad '[fabricate]\nvarient = x\n' "2: 'varient' is not an option of [fabricate]; did you mean 'variant'?"
	bad '[@p]\nkepe = x\n' "2: 'kepe' is not an option of [@p]; did you mean 'keep'?"
	bad 'memory = 1G\n' "1: 'memory' is in no section; write [all] before it"
	bad '[run]\nmemory = much\n' "2: memory: 'much' is not a size; give bytes or a number with K, M, G or T"
	bad '[run]\nquiet = maybe\n' "2: quiet: 'maybe' is neither yes nor no"
	bad '[run]\nquiet\n' "2: 'quiet' has no value; write 'quiet = VALUE'"
	bad '[run]\nrequire-jail = some\n' "2: require-jail: --require-jail: 'some' is neither basic nor full"
	bad '[session sart]\n' "1: [session sart] is the name of no command, nor [all], nor a profile [@NAME]; did you mean [session start]?" "cache list"
	bad '[run]\nno-config = yes\n' "2: 'no-config' is not an option of [run]"
	status 3 "$UMLCAGE" run --config nosuch true 2>err
	contains "--config: cannot open 'nosuch'" err
	status 2 "$UMLCAGE" run @nosuch 2>err
	contains "there is no profile '@nosuch'" err
	printf '[@builder]\n' >x.conf
	status 2 "$UMLCAGE" run --config x.conf @buidler 2>err
	contains "there is no profile '@buidler'; did you mean '@builder'?" err
}

# The commands of the other program are in the same file.
test_every_key_of_every_command_is_known()
{
	"$UMLCAGE" help umlcage.conf | sed -n '/^sections and keys:/,$p' >keys
	while read -r line; do
		case $line in
		"["*) echo "$line" ;;
		*) ;;
		esac
	done <keys >all.conf
	[ "$(wc -l <all.conf)" -gt 20 ] || fail "only $(wc -l <all.conf) sections"
	"$UMLCAGE" run --config all.conf --print-config >/dev/null
	"$UMLCAGE" help --man umlcage.conf >page
	while read -r section; do
		contains "$section" page
	done <all.conf
	if command -v groff >/dev/null; then
		equal "" "$(groff -man -Tutf8 -ww -z page 2>&1)" "warnings of groff"
	fi
}

# as setpriv and su leave HOME: another user's
test_a_home_that_cannot_be_entered_has_no_settings()
{
	mkdir -p closed/.config/umlcage tree
	echo "[share import]" >closed/.config/umlcage/umlcage.conf
	tar -cf tree.tar tree
	chmod 0 closed/.config/umlcage/umlcage.conf
	status 1 env -u XDG_CONFIG_HOME HOME="$PWD/closed" "$UMLCAGE" share import -q tree.tar s 2>err
	contains "Permission denied" err
	[ ! -e s ]
	chmod 0 closed
	env -u XDG_CONFIG_HOME HOME="$PWD/closed" "$UMLCAGE" share import -q tree.tar s
	chmod 755 closed
	chmod 644 closed/.config/umlcage/umlcage.conf
}
