#!/usr/bin/env python3
"""What smtp changes in mail on its way to a server, against Debian's Postfix 3.7."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import finish
from compared import System, compare_groups
from smtp_cases import BASE, GROUPS, RULES

System.program = "smtp"
System.passed_over = "relay=|rules, line"
compare_groups(GROUPS, BASE, RULES, sys.argv[1:])
finish()
