#!/usr/bin/env python3
"""Whoever sets a parameter that has no effect is told so at start, for each of those that
`postconf --support` names; and nobody is told so of the others."""
import json
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish

SAID = re.compile(r"parameter (\w+) is (?:not supported yet|obsolete): it has no effect")


def other_than(value):
    """A value that is not the default, and of its type."""
    if value in ("yes", "no"):
        return "no" if value == "yes" else "yes"
    number = re.fullmatch(r"(\d+)([smhdw]?)", value)
    return f"{int(number[1]) + 1}{number[2]}" if number else "other"


def defaults(mta, names):
    """By name; what was removed from Postfix has none."""
    lines = mta.run("postconf", "-dx", *names).stdout.splitlines()
    return dict(re.match(r"(\w+) = ?(.*)", line).groups() for line in lines)


with Instance() as mta:
    rows = [json.loads(line) for line in mta.run("postconf", "--support", "-j").stdout.splitlines()]
    without_effect = {row["name"] for row in rows if not row["honoured"]}
    check(len(rows) > 1000, "postconf lists parameters")
    preset = defaults(mta, sorted(without_effect))
    mta.write_configuration(**{name: other_than(preset.get(name, "")) for name in without_effect})
    done = mta.postern("start")
    check_equal(sorted(set(SAID.findall(done.stderr))), sorted(without_effect), "told at start")
finish()
