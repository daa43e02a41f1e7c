# SPDX-License-Identifier: GPL-2.0-or-later
# The command line: help, manual pages, completion, suggestions, exit statuses.

# the commands and subcommands, as full names
commands()
{
	"$UMLCAGE" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' >top
	[ -s top ] || fail "no commands in the help"
	while read -r c; do
		echo "$c"
		"$UMLCAGE" help "$c" | sed -n "/^commands:/,/^\$/s/^  \([a-z]*\) .*/$c \1/p"
	done <top
}

test_every_command_has_help_and_a_page()
{
	commands >all
	[ "$(wc -l <all)" -gt 20 ] || fail "only $(wc -l <all) commands"
	while read -r c; do
		# shellcheck disable=SC2086
		"$UMLCAGE" $c --help >help 2>&1 || fail "'$c --help' ended with $?"
		contains "usage: umlcage $c" help
		# shellcheck disable=SC2086
		"$UMLCAGE" help --man $c >page
		sed 's/\\-/-/g' page >plain
		# every option of the help is in the page
		(grep -o -e '--[a-z][a-z-]*' help || true) | sort -u | while read -r option; do
			[ "$option" = --help ] && continue
			contains "$option" plain
		done
		if command -v groff >/dev/null; then
			equal "" "$(groff -man -Tutf8 -ww -z page 2>&1)" "warnings of groff for '$c'"
		fi
	done <all
}

test_one_option_of_the_machine_is_everywhere()
{
	for c in run shell fabricate debootstrap; do
		"$UMLCAGE" help "$c" >help
		"$UMLCAGE" help --man "$c" >page
		"$UMLCAGE" help --completion=bash | grep "^	'$c')" >words
		for option in --memory --cpus --kernel --require-jail; do
			contains "$option" help
			contains "${option//-/\\-}" page
			contains "$option" words
		done
	done
}

test_completion_knows_commands_and_options()
{
	"$UMLCAGE" help --completion=bash >script
	bash -n script
	complete_words()
	{
		bash -c '. ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _umlcage; printf "%s\n" "${COMPREPLY[@]}"' \
			bash "$@" 2>/dev/null
	}
	equal fabricate "$(complete_words umlcage fab)"
	equal "$(printf 'list\n')" "$(complete_words umlcage cache l)"
	equal "--memory=" "$(complete_words umlcage run --mem)"
	equal "--max-size=" "$(complete_words umlcage cache prune --max-s)"
	status 2 "$UMLCAGE" help --completion=tcsh 2>err
	contains "bash, zsh, fish" err
}

# doc/equivalents: what stands on the right is understood, to the last option
test_equivalents_of_other_tools_are_commands()
{
	local n=0 line words command doc
	doc=$(dirname "$UMLCAGE")/../share/doc/umlcage/equivalents
	while read -r line; do
		read -ra words <<<"$line"
		command=("${words[1]}")
		case ${words[1]} in
		session | root | share)
			command+=("${words[2]}")
			;;
		esac
		"$UMLCAGE" "${command[@]}" --print-config "${words[@]:$((1 + ${#command[@]}))}" >out 2>&1 ||
			fail "'$line': $(cat out)"
		n=$((n + 1))
	done < <(sed -n 's/^|.*| \(umlcage .*\) |$/\1/p' "$doc")
	[ $n -gt 45 ] || fail "only $n commands in the tables"
}

test_words_that_were_meant()
{
	status 2 "$UMLCAGE" fabrciate 2>err
	contains "did you mean 'fabricate'?" err
	status 2 "$UMLCAGE" run --memmory=1G true 2>err
	contains "did you mean '--memory'?" err
	status 2 "$UMLCAGE" run --net=nta true 2>err
	contains "did you mean 'nat'?" err
	status 2 "$UMLCAGE" cache prune --kind=tree 2>err
	contains "did you mean 'trees'?" err
}

# what people are used to type for docker and its like
test_words_of_other_tools()
{
	while read -r words answer; do
		# shellcheck disable=SC2046
		status 2 "$UMLCAGE" run $(echo "$words" | tr , ' ') true 2>err
		contains "$answer" err
	done <<-END
	--volume,/a:/b --bind=
	-v,/nowhere:/b --bind=/nowhere:/b
	--network=none --net=none
	--device=/dev/sda host's
	--privileged capability
	--read-only --writable
	END
	"$UMLCAGE" run --help >out
	if grep -q volume out; then
		fail "--help lists the words of others"
	fi
}

test_bounds_of_the_machine()
{
	for c in "run --root nowhere" "fabricate --variant=minbase" "debootstrap"; do
		for bad in --memory=100T --memory=10M --cpus=0 --cpus=65; do
			# shellcheck disable=SC2086
			status 2 "$UMLCAGE" $c $bad x y.tar 2>err
			contains "${bad%%=*}: " err
		done
		got=0
		# shellcheck disable=SC2086
		"$UMLCAGE" $c --kernel=/nonexistent x y.tar 2>err || got=$?
		case $c in
		run*) equal 125 $got ;;
		*) equal 3 $got ;;
		esac
		contains "/nonexistent" err
	done
	[ ! -e y.tar ] || fail "something was made"
	for bad in --hostname=a_b --hostname= --env==x --env=; do
		status 2 "$UMLCAGE" run "$bad" true 2>err
	done
}

test_exit_statuses()
{
	status 0 "$UMLCAGE" help exit-status >text
	contains "worth another try" text
	status 2 "$UMLCAGE" 2>/dev/null
	status 3 "$UMLCAGE" root show nowhere 2>/dev/null
	status 3 "$UMLCAGE" share list nowhere 2>/dev/null
	status 2 "$UMLCAGE" root rename one 2>/dev/null
	status 6 "$UMLCAGE" help >/dev/full 2>err
	contains "cannot write" err
}

test_places_are_checked_before_any_work()
{
	# no kernel is there to boot, and none is built for what cannot be
	export XDG_CACHE_HOME="$PWD/cache" UMLCAGE_MIRROR=file:///nonexistent
	mkdir dir
	for bad in --bind=dir:/proc --bind=dir:/ --bind=dir:/dev/x --bind=dir:/a/../b --bind=dir:x \
		--share=dir:/sys --scratch=x --keep=a/b --commit=.x --cow=f; do
		status 2 "$UMLCAGE" run "$bad" true 2>err
		contains "${bad%%=*}" err
	done
	for absent in --bind=absent:/x --share=absent:/x:ro --root=absent --root=./absent; do
		status 125 "$UMLCAGE" run "$absent" true 2>err
		contains "absent'" err
	done
	[ ! -e cache/umlcage/kernels ] || fail "a kernel was looked for"
	[ ! -e f ] || fail "a COW file was made"
}

# what make demo shows of a command can be typed again
test_demo_shows_commands_as_a_shell_takes_them()
{
	local words=(printf '[%s]' 'a b' "it's" '' '$HOME' 'plain-1.0')
	eval "$(sed -n '/^step()/,/^}/p' "$TESTS_DIR/support/demo")"
	step "${words[@]}" >shown
	sed -n 's/^\$ //p' shown >typed
	equal "$("${words[@]}")" "$(sh typed)" "what the line does"
}

# whoever boots a cage says in the same words what it may reach, and is told of a mistake at once
test_every_cage_has_the_same_network_options()
{
	local c o
	"$UMLCAGE" build --keys >keys
	for c in run shell fabricate debootstrap 'deb build' 'session start' tool; do
		# shellcheck disable=SC2086
		"$UMLCAGE" $c --help >help
		for o in --net --net-allow --net-deny --net-log; do
			grep -qE -- "^ .*$o( |=|\[|,|\$)" help || fail "'umlcage $c' has no option $o"
			[ "$(grep -c "^  ${o#--} " keys)" -ge 2 ] || fail "build files have ${o#--} in one section"
		done
		set -- trixie
		case $c in tool) set -- mmdebstrap trixie ;; debootstrap) set -- trixie made ;; esac
		# shellcheck disable=SC2086
		"$UMLCAGE" $c --net-allow 192.0.2.0/33 "$@" >out 2>err && fail "'umlcage $c' took it"
		contains "not a part of a network" err
		# shellcheck disable=SC2086
		"$UMLCAGE" $c --net=none --net-deny 192.0.2.0/24 "$@" >out 2>err && fail "'umlcage $c' took it"
		contains "leads out" err
	done
	status 2 "$UMLCAGE" deb build --net-allow 192.0.2.1 hello 2>err
	contains "add --net" err
}
