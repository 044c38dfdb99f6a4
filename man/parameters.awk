# parameters.awk -- a manual page with the lists of parameters in it.
#
# usage: awk -f parameters.awk parameters.doc parameters.def PAGE
#
# The line `.\" parameters: PROGRAM` of a page becomes the list of those that the program reads;
# `honoured`, `unhonoured` and `obsolete` in its place are what postconf(5) has. Name, type,
# default, bounds, readers and tier come from parameters.def, the sentence from parameters.doc.

# ---- parameters.doc: "name: sentence", and lines that go on ----

FILENAME ~ /\.doc$/ {
	if (/^\t/)
		sentence[name] = sentence[name] " " substr($0, 2)
	else if (!/^#/ && /: /) {
		name = substr($0, 1, index($0, ": ") - 1)
		sentence[name] = substr($0, index($0, ": ") + 2)
		if (name ~ /^\*/)
			ending[substr(name, 2)] = sentence[name]
	}
	next
}

# ---- parameters.def: PARAM(name, type, .key = value, ...), over several lines ----

# The value of .key, without quotes; "" when there is none. Strings side by side are one.
function value_of(key, text, at) {
	at = index(row, "." key " = ")
	if (!at)
		return ""
	text = substr(row, at + length(key) + 4)
	sub(/^ +/, "", text)
	gsub(/" +"/, "", text)
	if (text !~ /^"/) {
		sub(/[,)].*/, "", text)
		return text
	}
	text = substr(text, 2)
	gsub(/\\\\/, "\001", text)
	gsub(/\\"/, "\002", text)
	sub(/".*/, "", text)
	gsub(/\002/, "\"", text)
	gsub(/\001/, "\\", text)
	return text
}

function take_row(name, rest) {
	rest = row
	sub(/^PARAM(_AS)?\(/, "", rest)
	if (row ~ /^PARAM_AS/)
		sub(/^[^"]*/, "", rest)
	match(rest, /[A-Za-z0-9_]+/)
	name = substr(rest, RSTART, RLENGTH)
	rest = substr(rest, RSTART + RLENGTH)
	match(rest, /[A-Z]+/)
	names[++count] = name
	type[name] = substr(rest, RSTART, RLENGTH)
	preset[name] = value_of("preset")
	least[name] = value_of("least")
	most[name] = value_of("most")
	words[name] = value_of("words")
	readers[name] = value_of("used_by")
	tier[name] = value_of("tier")
	successor[name] = row ~ /\.successor = / ? "specify " value_of("successor") : ""
	if (successor[name] == "specify ")
		successor[name] = "do not set it"
	site[name] = row ~ /\.site = true/
	ours[name] = row ~ /\.ours = true/
	honoured[name] = row ~ /\.honoured = true/
}

FILENAME ~ /\.def$/ {
	sub(/^[ \t]+/, "")
	if (/^PARAM(_AS)?\([a-z0-9_x]+, /)
		row = $0
	else if (row != "")
		row = row " " $0
	if (row ~ /\)$/) {
		take_row()
		row = ""
	}
	next
}

# ---- the page ----

# As an argument of a macro: \& keeps punctuation from being taken for the sentence's.
function quoted(text) {
	gsub(/\\/, "\\e", text)
	gsub(/"/, "\\(dq", text)
	if (text ~ /^[[:punct:]]+$/)
		text = "\\&" text
	return "\"" text (text ~ /[.,:;?!)]$/ ? "\\&" : "") "\""
}

function words_about(name, i) {
	if (name in sentence)
		return sentence[name]
	if (name ~ /^lmtp_/ && ("smtp_" substr(name, 6)) in sentence)
		return sentence["smtp_" substr(name, 6)]
	for (i in ending)
		if (substr(name, length(name) - length(i) + 1) == i)
			return ending[i]
	return ""
}

# What is set when main.cf does not: as text of main.cf, if it fits.
function print_default(name) {
	if (site[name])
		print "Found out on this host."
	else if (preset[name] ~ /^[A-Z_]+$/ && type[name] ~ /STRING|RAW/ && preset[name] ~ /_/)
		print "Chosen when the mail system was built."
	else if (length(preset[name]) > 60)
		printf ".Ql postconf -d %s\nshows the default.\n", name
	else if (preset[name] == "")
		print "Empty by default."
	else
		printf "The default is\n.Li %s .\n", quoted(preset[name])
}

function print_bounds(name) {
	if (words[name] != "")
		printf "One or more of:\n.Li %s .\n", quoted(words[name])
	if (type[name] !~ /INT|LONG|TIME/)
		return
	if (least[name] != "" && least[name] != "0")
		printf "At least %s%s.\n", least[name], type[name] == "TIME" ? " seconds" : ""
	if (most[name] != "")
		printf "At most %s%s.\n", most[name], type[name] == "TIME" ? " seconds" : ""
}

# Lines of at most 78, and no more than one sentence; "." and "'" at the beginning of one would
# be a macro.
function print_text(text, n, i, word, line) {
	gsub(/\\/, "\\e", text)
	n = split(text, word, " ")
	for (i = 1; i <= n; i++) {
		if (line != "" && length(line) + length(word[i]) > 76) {
			print line
			line = ""
		}
		line = line (line == "" ? "" : " ") \
			(line == "" && word[i] ~ /^[.']/ ? "\\&" : "") word[i]
		if (i < n && word[i] ~ /[.?!]$/) {
			print line
			line = ""
		}
	}
	print line
}

function print_one(name, full) {
	printf ".It Cm %s\n", name
	print_text(words_about(name))
	print_default(name)
	print_bounds(name)
	if (ours[name])
		print "Postfix does not have it."
	if (full && readers[name] == "all")
		print "Every program reads it."
	else if (full) {
		gsub(/,/, ", ", readers[name])
		print_text("Read by " readers[name] ".")
	}
}

function is_in_list(name, list) {
	if (list == "honoured")
		return honoured[name]
	if (list == "unhonoured")
		return !honoured[name] && tier[name] < 4 && type[name] != "REMOVED"
	if (list == "obsolete")
		return !honoured[name] && (tier[name] == 4 || type[name] == "REMOVED")
	return honoured[name] && index("," readers[name] ",", "," list ",")
}

function print_list(list, i, name) {
	print ".Bl -tag -width Ds"
	for (i = 1; i <= count; i++) {
		name = names[i]
		if (!is_in_list(name, list))
			continue
		if (list != "unhonoured" && list != "obsolete") {
			print_one(name, list == "honoured")
			continue
		}
		printf ".It Cm %s\n", name
		if (successor[name] != "")
			printf "%s.\n", toupper(substr(successor[name], 1, 1)) substr(successor[name], 2)
		if (list == "unhonoured") {
			printf "Tier %s.\n", tier[name]
			print_default(name)
		} else if (successor[name] == "")
			print "It has no effect."
	}
	print ".El"
}

/^\.\\" parameters: / {
	print_list($3)
	next
}
{
	print
}
