# CHANGELOG.md as debian/changelog. -v who='NAME <ADDRESS>'. Debian's own packages, if ever there are any, count as newer.
/^## [0-9]/ {
	finish()
	day = $3
	gsub(/[()]/, "", day)
	printf "%ssmartprof (%s-0upstream1) unstable; urgency=medium\n\n", entries++ ? "\n" : "", $2
	next
}
entries && /^- / { print "  * " substr($0, 3) }
entries && /^  / { print "    " substr($0, 3) }
END { finish() }

function finish(date, when) {
	if (!entries)
		return
	date = "LC_ALL=C date -u -R -d " day
	date | getline when
	close(date)
	printf "\n -- %s  %s\n", who, when
}
