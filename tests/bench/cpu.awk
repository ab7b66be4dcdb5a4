# Table and targets of cpu.sh, from lines "slow-down rate error program variant round"; of pair-B, B over A.
function sorted(list, values,    n, i, j, v) {
	n = split(list, values, " ")
	for (i = 2; i <= n; i++) {
		v = values[i] + 0
		for (j = i - 1; j > 0 && values[j] + 0 > v; j--)
			values[j + 1] = values[j]
		values[j + 1] = v
	}
	return n
}
function quantile(list, q,    values, n, at) {
	n = sorted(list, values)
	at = 1 + q * (n - 1)
	return values[int(at)] + (at - int(at)) * (values[int(at) + (at < n)] - values[int(at)])
}
# 95 % interval of the median by order statistics: the ranks n/2 -+ 0.98 sqrt(n). Fewer than 6 values
# have none: then it is their range, and decides nothing.
function bound(list, side,    values, n, k) {
	n = sorted(list, values)
	k = int(n / 2 - 0.98 * sqrt(n))
	k = k < 0 ? 0 : k
	return side < 0 ? values[k + 1] : values[n - k]
}
function judge(what, list, most, unit, scale,    middle, low, word, values) {
	middle = quantile(list, 0.5)
	low = bound(list, -1)
	word = middle <= most ? "holds" : low > most && split(list, values, " ") > 5 ? "MISSED" : "missed within noise"
	if (word == "MISSED")
		status = 1
	else if (word != "holds" && !status)
		status = 2
	printf "| %s | %.*f%s (%.*f to %.*f) | %.*f%s | %s |\n", what, scale, middle, unit, scale, low, scale,
		bound(list, 1), scale, most, unit, word
}
{
	ratios[$4, $5] = ratios[$4, $5] " " $1
	rates[$5] = rates[$5] " " $2
	if ($3 != "-") {
		errors[$5] = errors[$5] " " $3
	}
}
function label(v) {
	if (v ~ /^bare/) return "bare limit, " substr(v, 6) " µs"
	if (v ~ /^at/) return "smartprof, CPU only, " substr(v, 4) " µs"
	if (v ~ /^gperf/) return "gperftools, " substr(v, 12) " Hz"
	if (v ~ /^perf/) return "perf record -F " substr(v, 6)
	return "smartprof, " v
}
END {
	count = split(programs, program, " ")
	nv = split(variants, variant, " ")
	no = split(ours, our, " ")
	printf "| slow-down, median (quartiles) of %d rounds |", rounds
	for (i = 1; i <= count; i++)
		printf " %s |", program[i]
	printf " samples per CPU second | largest error of a share, points | perf's at this rate |\n|---|"
	for (i = 1; i <= count + 3; i++)
		printf "---:|"
	for (k = 1; k <= nv; k++) {
		v = variant[k]
		printf "\n| %s |", label(v)
		for (i = 1; i <= count; i++) {
			list = ratios[program[i], v]
			printf " %.3f (%.3f–%.3f) |", quantile(list, 0.5), quantile(list, 0.25), quantile(list, 0.75)
		}
		printf " %.0f |", quantile(rates[v], 0.5)
		printf errors[v] == "" ? " |" : " %.2f |", quantile(errors[v], 0.5)
		printf errors["peer-of-" v] == "" ? " |" : " %.2f |", quantile(errors["peer-of-" v], 0.5)
	}
	printf "\n\n| target | median (its 95 %% interval) | at most | |\n|---|---:|---:|---|\n"
	for (i = 1; i <= count; i++) {
		n = split(ratios[program[i], "pair-at-1000"], values, " ")
		list = ""
		for (k = 1; k <= n; k++)
			list = list " " 100 * (values[k] - 1)
		judge(program[i] ": 1000 µs above the bare limit", list, 0.5, " points", 2)
	}
	for (i = 1; i <= count; i++)
		judge(program[i] ": production", ratios[program[i], "pair-production"], 1.015, "", 3)
	for (k = 1; k <= no && errors[our[k]] != ""; k++) {
		most = 1.1 * quantile(errors["peer-of-" our[k]], 0.5)
		judge("error, " label(our[k]) ": perf's at this rate, and a tenth", errors[our[k]], most, " points", 2)
	}
	exit status
}
