#!/usr/bin/env python3
"""cleanup against Debian's Postfix 3.7: the same messages to both under the same tables, and what
arrives compared: envelope, header and body."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import finish
from compared import compare_groups
from cleanup_cases import BASE, GROUPS, RULES

compare_groups(GROUPS, BASE, RULES, sys.argv[1:])
finish()
