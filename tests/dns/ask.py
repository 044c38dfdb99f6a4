"""ask.py -- questions to the dns of a running instance, put by the program ask beside this."""
import os
import subprocess
from harness import TOP, check_equal

A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28
ASK = os.path.join(TOP, "tests", "dns", "ask")


def ask(mta, *questions):
    """Each question is (type, name[, flags]); gives the answers as lists of words."""
    done = subprocess.run([ASK, os.path.join(mta.queue, "private", "dns")], text=True,
                          input="".join(f"{q[2] if len(q) > 2 else 0} {q[0]} {q[1]}\n"
                                        for q in questions), capture_output=True, timeout=120)
    lines = [line.split()[2:] for line in done.stdout.splitlines()]
    check_equal(len(lines), len(questions), f"answers {done.stderr}")
    return lines
